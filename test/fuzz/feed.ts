import type { Chunk, PartitionState, PollRequest, SourceReader, SourceResume } from '../../src/base/connector.ts';
import { raw, sql } from '../../src/base/sql.ts';
import { Turnstile } from '../../src/testing/turnstile.ts';
import { cells, instant, type Row } from './data.ts';

/** Hands a source's rows over when it is told to; `all` that it will ever hand over, so that it can read them again. */
export class FedReader implements SourceReader {
  readonly turnstile = new Turnstile();
  private readonly all: readonly Row[];
  private readonly states: { name: string; position: number; end: number; done: boolean }[];

  constructor(partitions: number, all: readonly Row[], resume?: SourceResume) {
    this.all = all;
    this.states = Array.from({ length: partitions }, (_, i) => {
      const position = resume?.partitions[i]?.position ?? 0;
      return { name: String(i), position, end: position, done: false };
    });
  }

  get partitions(): readonly PartitionState[] {
    return this.states;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  poll({ upTo }: PollRequest): Promise<readonly Chunk[]> {
    if (upTo === undefined) return this.turnstile.wait();
    const chunks = this.states.flatMap(({ position }, partition) => this.chunk(of(partition, this.all).slice(position, upTo.get(partition) ?? 0), partition)); // prettier-ignore
    return Promise.resolve(chunks);
  }

  give(rows: readonly Row[]): void {
    this.turnstile.pass(this.states.flatMap((_, partition) => this.chunk(of(partition, rows), partition)));
  }

  private chunk(rows: readonly Row[], partition: number): readonly Chunk[] {
    const state = this.states[partition];
    if (state === undefined || rows.length === 0) return [];
    const from = state.position;
    state.position += rows.length;
    state.end = state.position;
    const values = rows.map((row) => `(${cells(row)}, ${instant(row.time)})`).join(', ');
    const body = { kind: 'query', sql: sql`SELECT CAST(k AS INTEGER) AS k, CAST(v AS BIGINT) AS v, CAST(s AS VARCHAR) AS s, d, ts FROM (VALUES ${raw(values)}) t(k, v, s, d, ts)` } as const; // prettier-ignore
    return [{ partition, from, to: state.position, records: rows.length, runs: [{ first: from, count: rows.length }], rejected: [], body, release: () => undefined }]; // prettier-ignore
  }

  end(): void {
    for (const state of this.states) state.done = true;
    this.turnstile.shut();
  }

  close(): Promise<void> {
    this.turnstile.shut();
    return Promise.resolve();
  }
}

const of = (partition: number, rows: readonly Row[]): readonly Row[] =>
  rows.filter((row) => row.partition === partition);
