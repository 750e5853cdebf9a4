import type { Chunk, PartitionState, PollRequest, SourceReader } from '../../base/connector.ts';
import type { RetainedFile } from '../checkpoint/manifest.ts';
import { LoadedFile, type LoadingHost } from './loaded-files.ts';
import type { KeptPartition } from './stock.ts';

/** A partition that is read from what is retained of it, from `position` up to `partition.to`. */
export interface RetainedStart {
  readonly partition: KeptPartition;
  readonly position: number;
}

interface Cursor {
  readonly partition: KeptPartition;
  readonly start: number;
  position: number;
}

/**
 * Reads partitions from what is retained of them, and goes on with the source's own reader, which begins where that ends.
 */
export class RetainedReader implements SourceReader {
  private readonly own: SourceReader;
  private readonly host: LoadingHost;
  private readonly files: readonly RetainedFile[];
  private readonly cursors: ReadonlyMap<string, Cursor>;
  private readonly loaded = new Map<RetainedFile, Promise<LoadedFile>>();
  private readonly states = new Map<PartitionState, PartitionState>();

  constructor(host: LoadingHost, own: SourceReader, files: readonly RetainedFile[], starts: readonly RetainedStart[]) {
    this.host = host;
    this.own = own;
    this.files = files;
    this.cursors = new Map(
      starts.map(({ partition, position }) => [partition.name, { partition, start: position, position }]),
    );
  }

  open(): Promise<void> {
    return this.own.open();
  }

  get partitions(): readonly PartitionState[] {
    return this.own.partitions.map((own) => this.stateOf(own));
  }

  async poll(request: PollRequest): Promise<readonly Chunk[]> {
    const { partitions, upTo, maxRecords } = request;
    const asked = [...this.own.partitions.entries()].filter(
      ([index]) => (partitions === 'all' || partitions.has(index)) && (upTo === undefined || upTo.has(index)),
    );
    const kept = asked.flatMap(([index, { name }]) => {
      const cursor = this.reading(name);
      return cursor === undefined ? [] : [{ index, cursor }];
    });
    if (kept.length === 0) {
      const rest = new Set(asked.map(([index]) => index));
      return this.own.poll({ ...request, partitions: partitions === 'all' && rest.size === this.own.partitions.length ? 'all' : rest });
    } // prettier-ignore
    const chunks: Chunk[] = [];
    for (const { index, cursor } of kept)
      chunks.push(await this.next(index, cursor, Math.ceil(maxRecords / kept.length)));
    await this.forget();
    return chunks;
  }

  async peek(index: number): Promise<Chunk | undefined> {
    const name = this.own.partitions[index]?.name ?? '';
    const cursor = this.reading(name);
    if (cursor === undefined) return this.own.peek?.(index);
    const { partition, start, position } = cursor;
    const file = this.fileAt(cursor);
    if (position !== start || file === undefined) return undefined;
    const loaded = await this.load(file);
    const chunk = loaded.chunksFrom(name, position).find(({ records }) => records > 0);
    return chunk && loaded.first({ index, partition, from: position, to: chunk.to, chunks: [] }, chunk);
  }

  async close(): Promise<void> {
    for (const loaded of this.loaded.values()) await (await loaded).drop();
    await this.own.close();
  }

  /** The cursor of a partition that is not at the end of what is retained. */
  private reading(name: string): Cursor | undefined {
    const cursor = this.cursors.get(name);
    return cursor !== undefined && cursor.position < cursor.partition.to ? cursor : undefined;
  }

  private stateOf(own: PartitionState): PartitionState {
    const known = this.states.get(own);
    if (known !== undefined) return known;
    const reading = (): Cursor | undefined => this.reading(own.name);
    const state: PartitionState = {
      name: own.name,
      get position() {
        return reading()?.position ?? own.position;
      },
      get end() {
        return own.end;
      },
      get done() {
        return reading() === undefined && own.done;
      },
    };
    this.states.set(own, state);
    return state;
  }

  /** About so many records. Where nothing is retained of what was read, nothing was there. */
  private async next(index: number, cursor: Cursor, most: number): Promise<Chunk> {
    const { partition, position: from } = cursor;
    const file = this.fileAt(cursor);
    const loaded = file === undefined ? undefined : await this.load(file);
    const all = loaded?.chunksFrom(partition.name, from) ?? [];
    // Records of CSV are put together only as they were: one may have a quote that nothing closes.
    let [count, records] = [0, 0];
    while (count < all.length && (count === 0 || (records < most && partition.dialect === undefined)))
      records += all[count++]?.records ?? 0;
    const range = file?.partitions.find(({ name }) => name === partition.name);
    const to = all[count]?.from ?? range?.to ?? partition.to;
    cursor.position = to;
    if (loaded === undefined) return this.nothing(index, from, to);
    return loaded.read({ index, partition, from, to, chunks: all.slice(0, count) });
  }

  private async nothing(partition: number, from: number, to: number): Promise<Chunk> {
    const file = this.host.scratch.acquire();
    await file.write([]);
    const body = { kind: 'json', path: file.path, bytes: 0 } as const;
    return { partition, from, to, records: 0, runs: [], rejected: [], body, release: () => file.release() };
  }

  /** The file that has what comes next. */
  private fileAt({ partition, position }: Cursor): RetainedFile | undefined {
    return this.files.find((file) => file.partitions.some(({ name, to }) => name === partition.name && to > position));
  }

  private load(file: RetainedFile): Promise<LoadedFile> {
    const known = this.loaded.get(file);
    if (known !== undefined) return known;
    const loading = LoadedFile.load(this.host, file);
    this.loaded.set(file, loading);
    return loading;
  }

  /** Files that no partition needs any more go. */
  private async forget(): Promise<void> {
    for (const [file, loaded] of this.loaded) {
      const waits = file.partitions.some(({ name, to }) => (this.reading(name)?.position ?? to) < to);
      if (waits) continue;
      this.loaded.delete(file);
      await (await loaded).drop();
    }
  }
}
