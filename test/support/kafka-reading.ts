import { readFileSync } from 'node:fs';
import type { Chunk, SourceContext, SourceReader, SourceResume } from '../../src/base/connector.ts';
import { checkOptions } from '../../src/base/options.ts';
import type { Column } from '../../src/base/schema.ts';
import { kafkaSource } from '../../src/connectors/kafka/connector.ts';
import { openScratch } from '../../src/exec/scratch.ts';

const NOWHERE = { start: 0, end: 0 };

/** Opens the source as the engine would: options from their texts. */
export function planKafka(
  options: Readonly<Record<string, string>>,
  columns: readonly Column[] = [{ name: 'n', type: 'BIGINT' }],
): ReturnType<typeof kafkaSource.plan> {
  const given = Object.entries(options).map(([name, value]) => ({
    name,
    value,
    nameSpan: NOWHERE,
    valueSpan: NOWHERE,
  }));
  const checked = checkOptions(given, kafkaSource.options, 'a kafka source', NOWHERE);
  const declaration = {
    name: 's',
    columns,
    primaryKey: [],
    computed: [],
    options: checked,
    span: NOWHERE,
    cwd: '.',
    stem: 'test',
  };
  return kafkaSource.plan(declaration);
}

export interface ReadRecord {
  readonly offset: number;
  readonly line: string;
}

/** Reads a source as the engine does and holds every chunk to the contract of the reader. */
export class Reading {
  readonly reader: SourceReader;
  readonly notices: (string | undefined)[] = [];
  /** By partition, in order. */
  readonly records = new Map<number, ReadRecord[]>();
  readonly rejected: { partition: number; offset: number; payload: string | null; reason: string }[] = [];
  chunks = 0;
  private readonly scratch = openScratch();
  private readonly ends = new Map<number, number>();

  constructor(
    options: Readonly<Record<string, string>>,
    columns?: readonly Column[],
    parallelism = 1,
    resume?: SourceResume,
  ) {
    const context: SourceContext = {
      scratch: this.scratch,
      parallelism,
      query: () => Promise.resolve([]),
      notice: (message) => this.notices.push(message),
      signal: new AbortController().signal,
      ...(resume !== undefined && { resume }),
    };
    this.reader = planKafka(options, columns).open(context);
  }

  /** One poll; how many records it brought. */
  async poll(maxRecords = 100_000, waitMs = 500, partitions: ReadonlySet<number> | 'all' = 'all'): Promise<number> {
    const chunks = await this.reader.poll({ partitions, maxRecords, waitMs });
    for (const chunk of chunks) {
      if (partitions !== 'all' && !partitions.has(chunk.partition)) throw new Error('a partition that was not allowed');
      this.accept(chunk);
    }
    return chunks.reduce((sum, chunk) => sum + chunk.records, 0);
  }

  /** To the end of a bounded source. */
  async drain(maxRecords?: number): Promise<this> {
    while (!this.reader.partitions.every((partition) => partition.done)) await this.poll(maxRecords);
    return this;
  }

  /** Until so many records were read in all. */
  async until(count: number, patienceMs = 30_000): Promise<this> {
    const deadline = Date.now() + patienceMs;
    while (this.count < count) {
      if (Date.now() > deadline) throw new Error(`only ${this.count} of ${count} records came`);
      await this.poll();
    }
    return this;
  }

  get count(): number {
    return [...this.records.values()].reduce((sum, records) => sum + records.length, 0);
  }

  lines(partition = 0): string[] {
    return (this.records.get(partition) ?? []).map((record) => record.line);
  }

  offsets(partition = 0): number[] {
    return (this.records.get(partition) ?? []).map((record) => record.offset);
  }

  async close(): Promise<void> {
    await this.reader.close();
    this.scratch.close();
  }

  private accept(chunk: Chunk): void {
    this.chunks++;
    const { partition, from, to, records, runs, rejected, body } = chunk;
    const before = this.ends.get(partition);
    if (before !== undefined && before !== from)
      throw new Error(`a chunk begins at ${from}, the last ended at ${before}`);
    if (to <= from) throw new Error(`a chunk from ${from} to ${to}`);
    if (this.reader.partitions[partition]?.position === undefined) throw new Error('a chunk of no partition');
    this.ends.set(partition, to);
    if (body.kind !== 'json') throw new Error(`a body of kind ${body.kind}`);
    const text = readFileSync(body.path).toString('utf8', body.start ?? 0, (body.start ?? 0) + body.bytes);
    if (Buffer.byteLength(text) !== body.bytes) throw new Error('a body of another length than it says');
    const lines = text.split('\n');
    if (lines.pop() !== '') throw new Error('a body that does not end with a line feed');
    const offsets = runs.flatMap((run) => Array.from({ length: run.count }, (_, i) => run.first + i));
    if (lines.length !== records || offsets.length !== records) throw new Error('lines, runs and records differ');
    for (const offset of [...offsets, ...rejected.map((each) => each.offset)]) {
      if (offset < from || offset >= to) throw new Error(`offset ${offset} is outside of ${from} to ${to}`);
    }
    const known = this.records.get(partition) ?? [];
    lines.forEach((line, i) => known.push({ offset: offsets[i] ?? -1, line }));
    this.records.set(partition, known);
    for (const { offset, payload, reason } of rejected) {
      this.rejected.push({
        partition,
        offset,
        payload: payload === null ? null : Buffer.from(payload).toString(),
        reason,
      });
    }
    chunk.release();
  }
}

/** Opens it, hands it to the test, and closes it whatever happens. */
export async function reading<T>(
  options: Readonly<Record<string, string>>,
  work: (reading: Reading) => Promise<T>,
  columns?: readonly Column[],
  parallelism?: number,
  resume?: SourceResume,
): Promise<T> {
  const opened = new Reading(options, columns, parallelism, resume);
  try {
    await opened.reader.open();
    return await work(opened);
  } finally {
    await opened.close();
  }
}
