import { join as joinPath } from 'node:path';
import type { Chunk, CsvDialect } from '../../base/connector.ts';
import type { Disk } from '../checkpoint/disk.ts';
import { fileStem } from '../checkpoint/file-stem.ts';
import type { RetainedFile, RetainedSource } from '../checkpoint/manifest.ts';
import type { DuckConnection } from '../duck.ts';
import { hasMembers } from './members.ts';
import { mergedFile, toMerge } from './merge.ts';
import { Pile } from './pile.ts';
import { Window } from './raw-lines.ts';

/** In this folder of the state folder are the files of retained records. */
export const RETAINED = 'retained';
export interface KeeperHost {
  /** The state folder. */
  readonly folder: string;
  readonly disk: Disk;
  /** Of its own: files are written on it while the stream goes on. */
  readonly connection: DuckConnection;
}

/** A pile that takes no more records, and its file where it has been written; of one without records there is none. */
interface Sealed {
  readonly pile: Pile;
  file?: RetainedFile | null;
}

/** What is to be written down of a source: as it was between two epochs. */
export interface Cut {
  readonly partitions: RetainedSource['partitions'];
  readonly sealed: readonly Sealed[];
}

type Partition = RetainedSource['partitions'][number];

/** A pile that is larger becomes a file, and does not wait for the next checkpoint; bytes of text. */
const LARGE_PILE = 64 << 20;
/** While so many of them wait to be written, the stream waits too. */
const MOST_PILES = 2;

let files = 0;

/** Keeps the raw records of one source for as long as it says. */
export class SourceKeeper {
  readonly source: string;
  /** Files, from the state folder, that no manifest names, or not yet. */
  readonly unnamed = new Set<string>();
  private readonly host: KeeperHost;
  private readonly retainMs: number;
  private readonly members: readonly string[];
  private readonly partitions = new Map<string, Partition>();
  /** As the last manifest has them. */
  private named: readonly RetainedFile[];
  private sealed: Sealed[] = [];
  private pile: Pile | undefined;
  private readonly window = new Window();
  private adding: Promise<void> = Promise.resolve();
  private writing: Promise<void> = Promise.resolve();
  private readonly damaged = new Set<string>();

  /** `members`: of metadata in the lines. What is known of lines that have others is given up. */
  constructor(
    host: KeeperHost,
    source: string,
    retainMs: number,
    members: readonly string[],
    before: RetainedSource | undefined,
  ) {
    this.host = host;
    this.source = source;
    this.retainMs = retainMs;
    this.members = members;
    const known = before !== undefined && hasMembers(before, members) ? before : undefined;
    this.named = known?.files ?? [];
    for (const partition of known?.partitions ?? []) this.partitions.set(partition.name, partition);
  }

  /**
   * Takes the chunks of an epoch that is committed, and releases them. `names`: of the partitions by index. Resolves when
   * those of the epoch before are in. Throws what they failed with.
   */
  async keep(chunks: readonly Chunk[], names: readonly string[], epoch: number, clock: bigint): Promise<void> {
    await this.adding;
    // What the disk refuses, the next checkpoint tells of.
    if (this.waiting().length >= MOST_PILES) await this.write().catch(() => undefined);
    this.adding = this.add(chunks, names, epoch, clock);
    this.adding.catch(() => undefined);
  }

  /** Between two epochs: all that was kept so far is to be written. */
  cut(): Promise<Cut> {
    const cut = this.adding.then(async () => {
      await this.seal();
      return { partitions: [...this.partitions.values()], sealed: [...this.sealed] };
    });
    this.adding = cut.then(() => undefined);
    this.adding.catch(() => undefined);
    return cut;
  }

  /** Writes what is not on disk yet, and says what there is then, without what is too old at `clock` and put together where it is in small pieces. */
  async writeDown({ partitions, sealed }: Cut, clock: bigint): Promise<RetainedSource> {
    await this.write();
    const horizon = clock - BigInt(Math.round(this.retainMs * 1000));
    const all = [...this.named, ...sealed.flatMap(({ file }) => file ?? [])];
    const old = all.filter((file) => BigInt(file.clock) < horizon);
    const kept = all.filter((file) => !old.includes(file));
    const floors = new Map<string, number>();
    for (const { name, to } of old.flatMap((file) => file.partitions)) floors.set(name, to);
    return {
      source: this.source,
      ...(this.members.length > 0 && { members: this.members }),
      partitions: partitions.map((each) => ({
        ...each,
        from: Math.max(each.from, floors.get(each.name) ?? each.from),
      })),
      files: await this.merged(kept),
    };
  }

  /** A manifest has it. */
  written(kept: RetainedSource, { sealed }: Cut): void {
    this.named = kept.files;
    this.sealed = this.sealed.filter((each) => !sealed.includes(each));
    for (const { file } of sealed) if (file) this.unnamed.delete(file.path);
    for (const { name, from } of kept.partitions) {
      const partition = this.partitions.get(name);
      if (partition !== undefined) this.partitions.set(name, { ...partition, from: Math.max(partition.from, from) });
    }
  }

  /** Resolves when nothing is under way. What no checkpoint has taken in is read again by the run that goes on. */
  async close(): Promise<void> {
    await this.adding.catch(() => undefined);
    await this.writing.catch(() => undefined);
    for (const pile of [this.pile, ...this.waiting().map((each) => each.pile)]) await pile?.remove();
  }

  private async add(chunks: readonly Chunk[], names: readonly string[], epoch: number, clock: bigint): Promise<void> {
    try {
      this.pile ??= this.begin(epoch);
      await this.pile.add(chunks, names, epoch, clock);
    } finally {
      for (const chunk of chunks) chunk.release();
    }
    for (const chunk of chunks) this.move(chunk, names[chunk.partition] ?? '');
    if (this.pile.bytes < LARGE_PILE) return;
    await this.seal();
    this.write().catch(() => undefined);
  }

  /** What comes after a gap has nothing to do with what was before. */
  private move({ from, to, ordinal, body }: Chunk, name: string): void {
    const known = this.partitions.get(name);
    const dialect = body.kind === 'csv' ? { dialect: stored(body.dialect) } : {};
    this.partitions.set(name, {
      name,
      from: known?.to === from ? known.from : from,
      to,
      ordinal: ordinal ?? null,
      ...dialect,
    });
  }

  private begin(epoch: number): Pile {
    const file = this.path(`${epoch}`, 'lines');
    this.unnamed.add(file);
    return new Pile(this.host.folder, file, this.window);
  }

  private async seal(): Promise<void> {
    await this.pile?.seal();
    if (this.pile !== undefined) this.sealed.push({ pile: this.pile });
    this.pile = undefined;
  }

  private waiting(): readonly Sealed[] {
    return this.sealed.filter(({ file }) => file === undefined);
  }

  /** Resolves when each of the piles that are sealed by now is a file. */
  private write(): Promise<void> {
    const writing = this.writing
      .catch(() => undefined)
      .then(async () => {
        for (const each of this.waiting()) {
          each.file = each.pile.lines === 0 ? null : await this.file(each.pile);
          await each.pile.remove();
          this.unnamed.delete(each.pile.file);
        }
      });
    this.writing = writing;
    return writing;
  }

  private async file(pile: Pile): Promise<RetainedFile> {
    const { disk, folder, connection } = this.host;
    const path = this.path(`${pile.epochs.first}-${pile.epochs.last}`, 'parquet');
    this.unnamed.add(path);
    try {
      await pile.write(connection, joinPath(folder, path));
      const measured = await disk.measure(joinPath(folder, path));
      const { lines: rows, since, clock, ranges, epochs } = pile;
      return { path, ...measured, rows, level: 0, epochs, since: String(since), clock: String(clock), partitions: ranges }; // prettier-ignore
    } catch (error) {
      this.unnamed.delete(path);
      throw error;
    }
  }

  private path(epochs: string, kind: 'lines' | 'parquet'): string {
    const unique = `${Date.now().toString(36)}${(files++).toString(36)}`;
    return `${RETAINED}/${fileStem(this.source)}-${epochs}-${unique}.${kind}`;
  }

  private async merged(kept: readonly RetainedFile[]): Promise<readonly RetainedFile[]> {
    let all = kept;
    for (;;) {
      const group = toMerge(all, this.retainMs);
      const [first, last] = [group?.at(0), group?.at(-1)];
      if (group === undefined || first === undefined || last === undefined) return all;
      if (group.some(({ path }) => this.damaged.has(path))) return all;
      const merged = await mergedFile(
        this.host,
        group,
        this.path(`${first.epochs.first}-${last.epochs.last}`, 'parquet'),
      );
      if ('damaged' in merged) {
        this.damaged.add(merged.damaged);
        return all;
      }
      all = all.flatMap((file) => (file === first ? [merged] : group.includes(file) ? [] : [file]));
    }
  }
}

const stored = ({ header, ...dialect }: CsvDialect): NonNullable<Partition['dialect']> => ({
  ...dialect,
  header: header.map((name) => name ?? null),
});
