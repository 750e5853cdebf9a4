import type { Chunk, PartitionState, PollRequest, SourceContext, SourceReader } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import { sql } from '../base/sql.ts';
import { rowsQuery, type Feed } from './feed-rows.ts';
import type { Delivery } from './slicing.ts';
import { TestError } from './test-error.ts';
import type { Turnstile } from './turnstile.ts';

/**
 * Stands in for a source's own reader: gives the records of an epoch when the case says so, and nothing before. A
 * source has the partitions that the case names; offsets count the records of each from 0.
 */
export class FeedReader implements SourceReader {
  private readonly feed: Feed;
  private readonly context: SourceContext;
  private readonly turnstile: Turnstile;
  private readonly states: { name: string; position: number; end: number; done: boolean }[];

  constructor(feed: Feed, context: SourceContext, turnstile: Turnstile) {
    this.feed = feed;
    this.context = context;
    this.turnstile = turnstile;
    const last = feed.records.reduce((high, { partition }) => Math.max(high, partition), 0);
    this.states = Array.from({ length: last + 1 }, (_, i) => {
      const position = context.resume?.partitions[i]?.position ?? 0;
      return { name: `${feed.name}-${i}`, position, end: position, done: false };
    });
  }

  get partitions(): readonly PartitionState[] {
    return this.states;
  }

  /** Tries all typed rows, so that a mistake in one of them is found before anything runs. */
  async open(): Promise<void> {
    const rows = this.feed.records.filter(({ record }) => record.kind === 'row');
    if (rows.length === 0 || (await this.fits(rows)) === undefined) return;
    for (const row of rows) {
      const problem = await this.fits([row]);
      if (problem !== undefined) throw new TestError('BIND', problem, row.record.span);
    }
  }

  private async fits(rows: readonly Delivery[]): Promise<string | undefined> {
    try {
      // As text, for not every value has a form in JavaScript.
      await this.context.query(sql`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${rowsQuery(this.feed, rows)})`);
      return undefined;
    } catch (error) {
      if (error instanceof StreamsqlError) throw error;
      return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
    }
  }

  /** What was read once is there to be read again; what is new comes when it is let pass. */
  poll({ upTo }: PollRequest): Promise<readonly Chunk[]> {
    return upTo === undefined ? this.turnstile.wait() : this.prepare([...upTo].flatMap(([i, to]) => this.upTo(i, to)));
  }

  private upTo(partition: number, to: number): readonly Delivery[] {
    const from = this.states[partition]?.position ?? 0;
    let position = 0;
    return this.feed.records.filter((delivery) => {
      if (delivery.partition !== partition) return false;
      const at = isRecord(delivery) ? position++ : position;
      return at >= from && at < to;
    });
  }

  /** The records as chunks, for the poll that waits at the turnstile. */
  async prepare(records: readonly Delivery[]): Promise<readonly Chunk[]> {
    const chunks: Chunk[] = [];
    for (const partition of this.states.keys()) {
      const own = records.filter((record) => record.partition === partition);
      for (const run of sameKind(own)) chunks.push(await this.chunk(partition, run));
    }
    return chunks;
  }

  /** Nothing more will come. */
  end(): void {
    for (const state of this.states) state.done = true;
    this.turnstile.shut();
  }

  private async chunk(partition: number, run: readonly Delivery[]): Promise<Chunk> {
    const state = this.states[partition];
    if (state === undefined) throw new StreamsqlError('INTERNAL', `no partition ${partition}`);
    const records = run.filter(isRecord).length;
    const from = state.position;
    state.position += records;
    state.end = state.position;
    const common = {
      partition,
      from,
      to: state.position,
      records,
      runs: [{ first: from, count: records }],
      rejected: [],
    };
    if (run[0]?.record.kind === 'row') {
      return { ...common, body: { kind: 'query', sql: rowsQuery(this.feed, run) }, release: () => undefined };
    }
    const file = this.context.scratch.acquire();
    const bytes = Buffer.from(run.map(({ record }) => (record.kind === 'json' ? `${record.line}\n` : '')).join(''));
    await file.write([bytes]);
    return { ...common, body: { kind: 'json', path: file.path, bytes: bytes.length }, release: () => file.release() };
  }

  close(): Promise<void> {
    this.turnstile.shut();
    return Promise.resolve();
  }
}

/** A blank line is none. */
const isRecord = ({ record }: Delivery): boolean => record.kind === 'row' || record.line.trim() !== '';

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
