import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Chunk, ScratchPool, SourceContext, SourceReader, SourceResume } from '../../src/base/connector.ts';
import { joinChecks, NO_BYTES, type Check } from '../../src/base/crc32.ts';
import { csvRecordEnds } from '../../src/base/csv.ts';
import { sql } from '../../src/base/sql.ts';
import type { DuckConnection } from '../../src/exec/duck.ts';

/** A source with some content, as often as it is opened. */
export interface Subject {
  open(context: Partial<SourceContext>): SourceReader;
  readonly connection: DuckConnection;
  /** Its input has no end: it is read up to the ends that are known. */
  readonly isUnbounded?: boolean;
}

export const contextOf = (scratch: ScratchPool, connection: DuckConnection): SourceContext => ({
  scratch,
  parallelism: 2,
  query: (query) => connection.rows(query),
  notice: () => {},
  signal: new AbortController().signal,
});

/** Where a partition stood between two chunks, and the check of all its bytes before. */
export interface Stop {
  readonly position: number;
  readonly ordinal: number | undefined;
  readonly end: number | undefined;
  /** Of the records before. */
  readonly count: number;
  readonly check: Check | undefined;
}

/** What was read of one partition. */
export class Tape {
  readonly name: string;
  /** Offset and content, also of what was rejected. */
  readonly records: string[] = [];
  readonly stops: Stop[];

  constructor(name: string, start: Omit<Stop, 'count' | 'check'>) {
    this.name = name;
    this.stops = [{ ...start, count: 0, check: undefined }];
  }

  get last(): Stop {
    return this.stops.at(-1)!;
  }

  async add(chunk: Chunk, end: number | undefined, connection: DuckConnection): Promise<void> {
    expect(chunk.from).toBe(this.last.position);
    expect(chunk.to).toBeGreaterThan(chunk.from);
    const lines = await contents(chunk, connection);
    const offsets = chunk.runs.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
    expect([lines.length, offsets.length]).toEqual([chunk.records, chunk.records]);
    const records = lines.map((line, i) => ({ offset: offsets[i]!, text: line }));
    const rejected = chunk.rejected.map(({ offset, payload, reason }) => ({ offset, text: `rejected: ${reason} ${String(payload)}` })); // prettier-ignore
    const all = [...records, ...rejected].sort((a, b) => a.offset - b.offset);
    this.records.push(...all.map(({ offset, text }) => `${offset}: ${text}`));
    const { count, check } = this.last;
    this.stops.push({
      position: chunk.to,
      ordinal: chunk.ordinal,
      end,
      count: count + chunk.records + chunk.rejected.length,
      check: chunk.check === undefined ? undefined : joinChecks(check ?? NO_BYTES, chunk.check),
    });
  }
}

async function contents({ body }: Chunk, connection: DuckConnection): Promise<readonly string[]> {
  if (body.kind === 'query') {
    const { rows } = await connection.table(sql`SELECT * FROM (${body.sql})`);
    return rows.map((row) => JSON.stringify(row));
  }
  const start = body.kind === 'json' ? body.start : undefined;
  const file = readFileSync(body.path);
  const bytes = start === undefined ? file : file.subarray(start, start + body.bytes);
  expect(bytes.length).toBe(body.bytes);
  if (body.kind === 'json') return bytes.toString().split('\n').filter((line) => line.trim() !== ''); // prettier-ignore
  const ends = [...csvRecordEnds(bytes, body.dialect)];
  if (ends.at(-1) !== bytes.length) ends.push(bytes.length);
  const found = ends.map((end, i) => bytes.toString('utf8', ends[i - 1] ?? 0, end));
  return found.filter((record) => record.trim() !== '').map((record) => `${body.dialect.header.join()} ${record}`);
}

export const tapesOf = (reader: SourceReader): Tape[] =>
  reader.partitions.map(({ name, position, end }) => new Tape(name, { position, ordinal: undefined, end }));

/** Puts down what a chunk brought. */
export async function record(
  connection: DuckConnection,
  reader: SourceReader,
  tapes: Tape[],
  chunk: Chunk,
): Promise<void> {
  const { name, end } = reader.partitions[chunk.partition]!;
  tapes[chunk.partition] ??= new Tape(name, { position: chunk.from, ordinal: undefined, end });
  await tapes[chunk.partition]?.add(chunk, end, connection);
}

/** Polls until there is nothing more, or up to the positions given; `sizes` are used one after another, again and again. */
export async function readOn(
  { connection, isUnbounded = false }: Subject,
  reader: SourceReader,
  tapes: Tape[],
  sizes: readonly number[],
  upTo?: ReadonlyMap<number, number>,
): Promise<void> {
  const over = (): boolean =>
    upTo === undefined
      ? reader.partitions.every(({ done, position, end }) => done || (isUnbounded && position === end))
      : [...upTo].every(([index, stop]) => reader.partitions[index]?.position === stop);
  for (let polls = 0; !over(); polls++) {
    expect(polls).toBeLessThan(20_000);
    const maxRecords = sizes[polls % sizes.length] ?? 1;
    const chunks = await reader.poll({
      partitions: 'all',
      maxRecords,
      waitMs: isUnbounded ? 10 : 500,
      ...(upTo && { upTo }),
    });
    for (const chunk of chunks) {
      if (upTo !== undefined) expect(chunk.to).toBeLessThanOrEqual(upTo.get(chunk.partition) ?? -1);
      await record(connection, reader, tapes, chunk);
      chunk.release();
    }
  }
}

/** Opens it, and closes it whatever happens. */
export async function opened<T>(
  subject: Subject,
  context: Partial<SourceContext>,
  work: (reader: SourceReader, tapes: Tape[]) => Promise<T>,
): Promise<T> {
  const reader = subject.open(context);
  try {
    await reader.open();
    return await work(reader, tapesOf(reader));
  } finally {
    await reader.close();
  }
}

export const readAll = (subject: Subject, sizes: readonly number[], resume?: SourceResume): Promise<readonly Tape[]> =>
  opened(subject, resume === undefined ? {} : { resume }, async (reader, tapes) => {
    await readOn(subject, reader, tapes, sizes);
    return tapes;
  });

export const resumeAt = (tapes: readonly Tape[], stops: readonly Stop[]): SourceResume => ({
  partitions: tapes.map(({ name }, i) => {
    const { position, ordinal, end } = stops[i]!;
    return { name, position, ordinal, end };
  }),
});

const SIZES = fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 4 });
/** Which of some things, whatever their number. */
const PLACES = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 8, maxLength: 8 });
const pick = <T>(of: readonly T[], place: number): T => of[Math.floor(of.length * place)]!;

/** What holds for every reader whose input stays: reading on, or again, finds what reading at one go finds. */
export function itResumes(make: () => Subject | Promise<Subject>, numRuns: number): void {
  test('reads on from any committed position as if it had not stopped', async () => {
    const subject = await make();
    const whole = await readAll(subject, [10_000]);
    expect(whole.flatMap(({ records }) => records).length).toBeGreaterThan(300);
    await fc.assert(
      fc.asyncProperty(SIZES, SIZES, PLACES, async (before, after, places) => {
        const first = await readAll(subject, before);
        const stops = first.map((tape, i) => pick(tape.stops, places[i % places.length]!));
        const rest = await readAll(subject, after, resumeAt(first, stops));
        expect(rest.map(({ name }) => name)).toEqual(first.map(({ name }) => name));
        for (const [i, tape] of whole.entries()) {
          const [{ count, check, position }, read] = [stops[i]!, rest[i]!];
          expect(first[i]!.records).toEqual(tape.records);
          expect(read.stops[0]!.position).toBe(position);
          expect(read.records).toEqual(tape.records.slice(count));
          expect(joined(check, read.last.check)).toEqual(tape.last.check);
        }
      }),
      { numRuns },
    );
  });

  test('reads any committed ranges again, and no further, then goes on', async () => {
    const subject = await make();
    const whole = await readAll(subject, [10_000]);
    await fc.assert(
      fc.asyncProperty(SIZES, SIZES, PLACES, PLACES, async (before, after, starts, lengths) => {
        const first = await readAll(subject, before);
        const from = first.map((tape, i) => Math.floor(tape.stops.length * starts[i % 8]!));
        const to = first.map((tape, i) => from[i]! + Math.floor((tape.stops.length - from[i]!) * lengths[i % 8]!));
        // One partition has no range in the epoch.
        const without = Math.floor(first.length * lengths[7]! * 1.5);
        const resume = resumeAt(first, first.map((tape, i) => tape.stops[from[i]!]!)); // prettier-ignore
        const upTo = new Map(first.flatMap((tape, i) => i === without ? [] : [[i, tape.stops[to[i]!]!.position]])); // prettier-ignore
        await opened(subject, { resume }, async (reader, tapes) => {
          await readOn(subject, reader, tapes, after, upTo);
          expect(await reader.poll({ partitions: 'all', maxRecords: 10, waitMs: 0, upTo })).toEqual([]);
          for (const [i, tape] of tapes.entries()) {
            const [begin, end] = [first[i]!.stops[from[i]!]!, first[i]!.stops[i === without ? from[i]! : to[i]!]!];
            expect(reader.partitions[i]!.position).toBe(end.position);
            expect(tape.records).toEqual(whole[i]!.records.slice(begin.count, end.count));
            expect(joined(begin.check, tape.last.check)).toEqual(end.check);
          }
          await readOn(subject, reader, tapes, after);
          for (const [i, tape] of tapes.entries()) {
            const begin = first[i]!.stops[from[i]!]!;
            expect(tape.records).toEqual(whole[i]!.records.slice(begin.count));
            expect(joined(begin.check, tape.last.check)).toEqual(whole[i]!.last.check);
          }
        });
      }),
      { numRuns },
    );
  });
}

const joined = (a: Check | undefined, b: Check | undefined): Check | undefined =>
  a === undefined ? b : b === undefined ? a : joinChecks(a, b);
