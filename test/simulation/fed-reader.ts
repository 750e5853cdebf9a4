import { crc32 } from 'node:zlib';
import type { Chunk, PartitionState, PollRequest, SourceContext, SourceReader } from '../../src/base/connector.ts';
import { rowsQuery, type Feed } from '../../src/testing/feed-rows.ts';
import type { Delivery } from '../../src/testing/slicing.ts';
import { Turnstile } from '../../src/testing/turnstile.ts';

/** What the simulation sees of a source. */
export interface SimulatedReader extends SourceReader {
  readonly turnstile: Turnstile;
  /** Chunks for the poll that waits. */
  prepare(records: readonly Delivery[]): Promise<readonly Chunk[]>;
  /** The input is over: what is left comes by itself. */
  end(): void;
}

/** Gives the records of an epoch when the simulation says so; those that were read before, again at any time. */
export class FedReader implements SimulatedReader {
  readonly turnstile = new Turnstile();
  private readonly feed: Feed;
  private readonly context: SourceContext;
  private readonly states: { name: string; position: number; end: number; done: boolean }[];
  /** By partition, all that will ever come. */
  private readonly records: readonly (readonly Delivery[])[];
  private pieces = 0;

  constructor(feed: Feed, context: SourceContext) {
    this.feed = feed;
    this.context = context;
    const last = feed.records.reduce((high, { partition }) => Math.max(high, partition), 0);
    const all = Array.from({ length: last + 1 }, (_, partition) => partition);
    this.records = all.map((partition) => feed.records.filter((one) => one.partition === partition && !isBlank(one)));
    this.states = all.map((partition) => {
      const position = context.resume?.partitions[partition]?.position ?? 0;
      return { name: `${feed.name}-${partition}`, position, end: position, done: false };
    });
    context.signal.addEventListener('abort', () => this.turnstile.shut(), { once: true });
  }

  get partitions(): readonly PartitionState[] {
    return this.states;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  async poll({ upTo }: PollRequest): Promise<readonly Chunk[]> {
    if (upTo === undefined) return this.turnstile.wait();
    // In pieces, and cut anywhere.
    const chunks: Chunk[] = [];
    for (const [partition, to] of upTo) {
      const from = this.states[partition]?.position ?? to;
      if (from < to) chunks.push(...(await this.read(partition, Math.min(to, from + 1 + (this.pieces++ % 3)))));
    }
    return chunks;
  }

  async prepare(records: readonly Delivery[]): Promise<readonly Chunk[]> {
    const chunks: Chunk[] = [];
    for (const [partition, state] of this.states.entries()) {
      const own = records.filter((record) => record.partition === partition && !isBlank(record));
      const next = this.records[partition]?.slice(state.position, state.position + own.length) ?? [];
      if (!own.every((record, i) => record === next[i])) throw new Error(`${state.name} does not stand where it should: ${state.position}`); // prettier-ignore
      if (own.length > 0) chunks.push(...(await this.read(partition, state.position + own.length)));
    }
    return chunks;
  }

  end(): void {
    for (const state of this.states) state.done = true;
    this.turnstile.shut();
  }

  close(): Promise<void> {
    this.turnstile.shut();
    return Promise.resolve();
  }

  private async read(partition: number, to: number): Promise<readonly Chunk[]> {
    const state = this.states[partition];
    if (state === undefined) return [];
    const chunks: Chunk[] = [];
    for (const run of sameKind(this.records[partition]?.slice(state.position, to) ?? [])) {
      chunks.push(await this.chunk(partition, state.position, run));
      state.position += run.length;
    }
    state.end = Math.max(state.end, state.position);
    return chunks;
  }

  private async chunk(partition: number, from: number, run: readonly Delivery[]): Promise<Chunk> {
    const bytes = Buffer.from(run.map(({ record }) => `${record.kind === 'json' ? record.line : record.cells.join()}\n`).join('')); // prettier-ignore
    const common = {
      partition, from, to: from + run.length, records: run.length, runs: [{ first: from, count: run.length }], rejected: [],
      check: { crc: crc32(bytes), bytes: bytes.length },
    }; // prettier-ignore
    if (run[0]?.record.kind === 'row')
      return { ...common, body: { kind: 'query', sql: rowsQuery(this.feed, run) }, release: () => undefined };
    const file = this.context.scratch.acquire();
    await file.write([bytes]);
    return { ...common, body: { kind: 'json', path: file.path, bytes: bytes.length }, release: () => file.release() };
  }
}

/** A source that makes its rows itself: new ones when the input is over, those that were read before at any time. */
export class OwnReader implements SimulatedReader {
  readonly turnstile = new Turnstile();
  private readonly inner: SourceReader;
  private released = false;

  constructor(inner: SourceReader, context: SourceContext) {
    this.inner = inner;
    context.signal.addEventListener('abort', () => this.turnstile.shut(), { once: true });
  }

  get partitions(): readonly PartitionState[] {
    return this.inner.partitions;
  }

  open(): Promise<void> {
    return this.inner.open();
  }

  poll(request: PollRequest): Promise<readonly Chunk[]> {
    return this.released || request.upTo !== undefined ? this.inner.poll(request) : this.turnstile.wait();
  }

  prepare(): Promise<readonly Chunk[]> {
    return Promise.resolve([]);
  }

  end(): void {
    this.released = true;
    this.turnstile.shut();
  }

  close(): Promise<void> {
    this.turnstile.shut();
    return this.inner.close();
  }
}

const isBlank = ({ record }: Delivery): boolean => record.kind === 'json' && record.line.trim() === '';

/** A chunk's body is of one kind: stretches of records that are. */
function sameKind(records: readonly Delivery[]): readonly (readonly Delivery[])[] {
  const runs: Delivery[][] = [];
  for (const record of records) {
    const last = runs.at(-1);
    if (last?.[0]?.record.kind === record.record.kind) last.push(record);
    else runs.push([record]);
  }
  return runs;
}
