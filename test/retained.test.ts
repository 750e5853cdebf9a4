import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Chunk, ChunkBody, CsvDialect, PartitionState, SourceReader } from '../src/base/connector.ts';
import { sql } from '../src/base/sql.ts';
import { realDisk } from '../src/exec/checkpoint/disk.ts';
import type { RetainedSource, SourceState } from '../src/exec/checkpoint/manifest.ts';
import { recordsOf } from '../src/exec/decode/records-csv.ts';
import { linesOf } from '../src/exec/decode/records-json.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { readerFromStart, type FromStart } from '../src/exec/retained/from-retained.ts';
import { Retained } from '../src/exec/retained/retained.ts';
import { openScratch } from '../src/exec/scratch.ts';

/** What is kept of a source comes back as it was: records, offsets and positions, however they were cut. */

const scratch = openScratch();
let duck: Duck;
let connection: DuckConnection;
beforeAll(async () => {
  duck = await Duck.open(':memory:', { threads: '2' });
  connection = await duck.connect();
});
afterAll(() => {
  duck.close();
  scratch.close();
});

const DIALECT: CsvDialect = { delimiter: ',', quote: '"', escape: '"', nullText: '', header: ['a', undefined, 'c'] };
const NAMES = ['p-0', 'p/1', "p'2"];
const SECOND = 1_000_000n;

interface Record {
  readonly offset: number;
  /** Latin-1 of its bytes. */
  readonly text: string;
  readonly reason?: string;
}

/** A chunk of a source, and the records in it. */
interface Drawn {
  readonly partition: number;
  readonly lines: readonly string[];
  readonly gaps: readonly number[];
  readonly rejected: readonly (string | null)[];
  readonly end: string;
  /** A last record of CSV with a quote that nothing closes. */
  readonly isOpen: boolean;
}

const JSON_LINE = fc.oneof(
  { weight: 8, arbitrary: fc.integer().map((i) => `{"v":${i},"é":"ü"}`) },
  fc.constantFrom('{"v":1}\r', ' \t{"v": "\\u0000"} ', '\xff\xfe', 'a\x01b', 'not json', '"q', '#', 'x\0y', '\xef\xbb\xbf{}', `"${'long '.repeat(401_000)}"`),
); // prettier-ignore
const CSV_LINE = fc.oneof(
  { weight: 8, arbitrary: fc.integer().map((i) => `${i},x,y`) },
  fc.constantFrom('1,"a\nb",c', '"""",2,3', '"\n\n",,', 'ü,\xfc,', ' "sp" ,1,2', ',,', '1,2', '1,2,3\r'),
);

const drawn = (line: fc.Arbitrary<string>): fc.Arbitrary<readonly Drawn[][]> => {
  const chunk = fc.record({
    partition: fc.nat({ max: NAMES.length - 1 }),
    lines: fc.array(line, { maxLength: 6 }),
    gaps: fc.array(fc.nat({ max: 2 }), { minLength: 7, maxLength: 7 }),
    rejected: fc.array(fc.option(fc.constantFrom('bad', '\xff', '')), { maxLength: 1 }),
    end: fc.constantFrom('\n', '\r\n', '\n\n', ''),
    isOpen: fc.boolean(),
  });
  return fc.array(fc.array(chunk, { maxLength: 3 }), { minLength: 1, maxLength: 14 });
};

/** A source that is told what it reads. */
class Told {
  readonly kind: 'json' | 'csv';
  readonly records = NAMES.map((): Record[] => []);
  readonly positions = NAMES.map(() => 0);

  constructor(kind: 'json' | 'csv') {
    this.kind = kind;
  }

  async chunk({ partition, lines: given, gaps, rejected, end, isOpen }: Drawn): Promise<Chunk> {
    const hasTail = isOpen && this.kind === 'csv' && given.length > 0;
    const lines = hasTail ? [...given.slice(1), '9,"open'] : given;
    const from = this.positions[partition]!;
    const records = this.records[partition]!;
    let next = from;
    const runs = lines.map((text, i) => {
      const first = next + gaps[i]!;
      next = first + 1;
      const without = this.kind === 'json' ? trimmed(text) : text.replace(/\r$/, '');
      records.push({ offset: first, text: without });
      return { first, count: 1 };
    });
    const bad = rejected.map((payload) => ({ offset: next++, payload: payload === null ? null : Buffer.from(payload, 'latin1'), reason: 'said so' })); // prettier-ignore
    for (const { offset, payload, reason } of bad) records.push({ offset, text: String(payload?.toString('latin1')), reason }); // prettier-ignore
    this.positions[partition] = next + gaps[6]! + 1;
    const file = scratch.acquire();
    const text = lines.map((line, i) => line + (i < lines.length - 1 ? '\n' : hasTail ? '' : end)).join('');
    await file.write([Buffer.from(text, 'latin1')]);
    const place = { path: file.path, bytes: text.length };
    const body: ChunkBody = this.kind === 'json' ? { kind: 'json', ...place } : { kind: 'csv', ...place, dialect: DIALECT }; // prettier-ignore
    const to = this.positions[partition];
    return { partition, from, to, records: lines.length, runs, ordinal: 7, body, rejected: bad, release: () => file.release() }; // prettier-ignore
  }
}

const trimmed = (text: string): string => text.replace(/^\xef\xbb\xbf/, '').replace(/^[ \t-\r]+|[ \t-\r]+$/g, '');

/** Of a chunk as a reader brings it; also gives it back. */
function contents(chunk: Chunk): Record[] {
  const { body, runs, rejected } = chunk;
  if (body.kind === 'query') throw new Error('a SELECT');
  const bytes = readFileSync(body.path);
  const { starts, ends } = body.kind === 'json' ? linesOf(bytes) : recordsOf(bytes, body.dialect);
  if (body.kind === 'csv') expect(body.dialect).toEqual(DIALECT);
  const offsets = runs.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
  expect([bytes.length, starts.length, offsets.length]).toEqual([body.bytes, chunk.records, chunk.records]);
  const records = starts.map((start, i) => ({ offset: offsets[i]!, text: bytes.toString('latin1', start, ends[i]) }));
  const bad = rejected.map(({ offset, payload, reason }) => ({ offset, text: payload === null ? 'undefined' : Buffer.from(payload).toString('latin1'), reason })); // prettier-ignore
  chunk.release();
  return [...records, ...bad];
}

const inOrder = (records: readonly Record[]): Record[] => [...records].sort((a, b) => a.offset - b.offset);

/** A source that has nothing of what was read any more, and is asked where it is to go on. */
function emptied(positions: readonly number[]): Pick<FromStart, 'open' | 'skipped' | 'warn'> & { asked: unknown[] } {
  const asked: unknown[] = [];
  const open: FromStart['open'] = ({ partitions }, skipped) => {
    const states = partitions.map((known, i): PartitionState => {
      if (known.position < positions[i]!) skipped?.(known.name, known.position, positions[i]!);
      return { name: known.name, position: known.position, end: positions[i], done: true };
    });
    asked.splice(0, asked.length, ...partitions);
    return { open: async () => {}, partitions: states, poll: async () => [], close: async () => {} } satisfies SourceReader; // prettier-ignore
  };
  return { open, skipped: undefined, warn: () => {}, asked };
}

const stateOf = (positions: readonly number[]): SourceState => ({
  name: 's', fingerprint: '', watermark: null, rows: 0, late: 0, deadLetters: 0, skipped: 0,
  partitions: NAMES.map((name, i) => ({ name, position: positions[i]!, ordinal: 7, end: null, greatest: null, initial: 0 })),
}); // prettier-ignore

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'retained[1]-'));
  mkdirSync(join(folder, 'data'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const HOUR = 3_600_000;
const openRetained = async (folder: string, retainMs = HOUR, known: readonly RetainedSource[] = []): Promise<Retained> =>
  (await Retained.open({ folder, disk: realDisk, connect: () => duck.connect() }, [{ name: 's', retainMs }], known))!; // prettier-ignore

async function checkpoint(retained: Retained, clock: bigint): Promise<RetainedSource> {
  const cut = retained.cut();
  const kept = await retained.writeDown(cut, clock);
  await retained.written(kept, cut);
  return kept[0]!;
}

async function readBack(host: FromStart, state: SourceState, kept: RetainedSource, sizes: readonly number[]) {
  const reader = await readerFromStart(host, state, kept);
  await reader.open();
  const found = NAMES.map((): Record[] => []);
  const begun = reader.partitions.map(({ position }) => position);
  const at = [...begun];
  for (let polls = 0; reader.partitions.some(({ done }) => !done); polls++) {
    expect(polls).toBeLessThan(1000);
    const partitions = polls % 3 === 0 ? new Set([polls % 2, 2]) : ('all' as const);
    const chunks = await reader.poll({ partitions, maxRecords: sizes[polls % sizes.length]!, waitMs: 0 });
    for (const chunk of chunks) {
      expect(chunk.from).toBe(at[chunk.partition]);
      expect(chunk.to).toBeGreaterThan(chunk.from);
      at[chunk.partition] = chunk.to;
      found[chunk.partition]!.push(...contents(chunk));
    }
    expect(reader.partitions.map(({ position }) => position)).toEqual(at);
  }
  await reader.close();
  return { found, begun, at };
}

test.each(['json', 'csv'] as const)('comes back as it was: %s', async (kind) => {
  await fc.assert(
    fc.asyncProperty(
      drawn(kind === 'json' ? JSON_LINE : CSV_LINE),
      fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
      async (epochs, checkpoints, sizes) =>
        withFolder(async (folder) => {
          const told = new Told(kind);
          let retained = await openRetained(folder);
          let kept: RetainedSource | undefined;
          for (const [epoch, chunks] of epochs.entries()) {
            const made: Chunk[] = [];
            for (const each of chunks) made.push(await told.chunk(each));
            const clock = BigInt(epoch) * SECOND;
            await retained.of('s')!.keep(made, NAMES, epoch, clock);
            if (checkpoints[epoch] !== true && epoch < epochs.length - 1) continue;
            kept = await checkpoint(retained, clock);
            // The run stops and goes on.
            if (sizes.length > 1) {
              await retained.close();
              retained = await openRetained(folder, HOUR, [kept]);
            }
          }
          await retained.close();
          const source = emptied(told.positions);
          const host = { folder, connection, scratch, ...source };
          const { found, at } = await readBack(host, stateOf(told.positions), kept!, sizes);
          expect(found.map(inOrder)).toEqual(told.records.map(inOrder));
          expect(at).toEqual(told.positions);
          expect(source.asked).toMatchObject(NAMES.map((name, i) => ({ name, position: told.positions[i] })));
          const tables = await connection.rows(sql`SELECT table_name FROM duckdb_tables() WHERE temporary OR schema_name = 'retained'`); // prettier-ignore
          expect(tables).toEqual([]);
        }),
    ),
    { numRuns: 40 },
  );
});

const one = (partition: number, line = '{"v":1}'): Drawn => ({ partition, lines: [line], gaps: [0, 0, 0, 0, 0, 0, 0], rejected: [], end: '\n', isOpen: false }); // prettier-ignore

/** An epoch a second, each with a record of one of two partitions, and a checkpoint after it. */
async function run(folder: string, seconds: number, retainMs: number): Promise<{ told: Told; kept: RetainedSource[] }> {
  const told = new Told('json');
  const retained = await openRetained(folder, retainMs);
  const kept: RetainedSource[] = [];
  for (let epoch = 0; epoch < seconds; epoch++) {
    await retained.of('s')!.keep([await told.chunk(one(epoch % 2))], NAMES, epoch, BigInt(epoch) * SECOND);
    kept.push(await checkpoint(retained, BigInt(epoch) * SECOND));
  }
  await retained.close();
  return { told, kept };
}

test('what is older than asked for goes; small files become few', async () => {
  await withFolder(async (folder) => {
    const { told, kept } = await run(folder, 250, 60_000);
    const last = kept.at(-1)!;
    expect(Math.max(...kept.map(({ files }) => files.length))).toBeLessThan(25);
    const oldest = Number(last.files[0]!.since) / 1e6;
    expect([oldest <= 189, oldest > 178]).toEqual([true, true]);
    expect(last.files.every(({ clock, since }) => BigInt(clock) - BigInt(since) <= 8n * SECOND)).toBe(true);
    const source = emptied(told.positions);
    const warnings: string[] = [];
    const host = { folder, connection, scratch, ...source, warn: (text: string) => void warnings.push(text) };
    const { found, begun } = await readBack(host, stateOf(told.positions), last, [1000]);
    expect(begun.slice(0, 2)).toEqual(last.partitions.map(({ from }) => from));
    expect(found[0]!.length + found[1]!.length).toBe(250 - oldest);
    expect(warnings).toEqual([expect.stringMatching(/the views that are added start with what is still there, what came since 1970-01-01T00:0/)]); // prettier-ignore
  });
});

test('a file that is damaged is named; the source, if it has the records, takes its place', async () => {
  await withFolder(async (folder) => {
    const { told, kept } = await run(folder, 7, HOUR);
    const last = kept.at(-1)!;
    expect(last.files.length).toBe(7);
    truncateSync(join(folder, last.files[3]!.path), 10);
    const gone = { folder, connection, scratch, ...emptied(told.positions) };
    await expect(readerFromStart(gone, stateOf(told.positions), last)).rejects.toMatchObject({
      code: 'GAP',
      message: expect.stringMatching(/^source s: of p-0 there is nothing from 0 to 3: retained\/s-.*-3-3-.* has 10 bytes, not/) as string,
    }); // prettier-ignore
    const skipped: unknown[] = [];
    const skipping = { ...gone, skipped: (...lost: unknown[]) => void skipped.push(lost) };
    const { found } = await readBack(skipping, stateOf(told.positions), last, [1000]);
    expect(skipped).toEqual([['p-0', 0, 4], ['p/1', 0, 4]]); // prettier-ignore
    expect(found.map((records) => records.length)).toEqual([2, 1, 0]);
    const whole = { folder, connection, scratch, ...emptied([0, 0, 0]) };
    const reader = await readerFromStart(whole, stateOf(told.positions), last);
    await reader.open();
    expect(whole.asked).toEqual(NAMES.map((name) => ({ name, position: 0 })));
  });
});

test('only files that a manifest names, or is about to, are kept', async () => {
  await withFolder(async (folder) => {
    const told = new Told('json');
    const retained = await openRetained(folder);
    const large = one(0, `{"v":"${'x'.repeat(1 << 20)}"}`);
    await retained.of('s')!.keep([await told.chunk({ ...large, lines: Array.from({ length: 6 }, () => large.lines[0]!) })], NAMES, 0, 0n); // prettier-ignore
    for (let epoch = 1; epoch < 12; epoch++)
      await retained.of('s')!.keep([await told.chunk({ ...large, lines: Array.from({ length: 6 }, () => large.lines[0]!) })], NAMES, epoch, 0n); // prettier-ignore
    const cut = retained.cut();
    const kept = await retained.writeDown(cut, 0n);
    expect(kept[0]!.files.length).toBe(2);
    const onDisk = readdirSync(join(folder, 'retained')).map((name) => `retained/${name}`);
    expect(new Set(onDisk)).toEqual(new Set(kept[0]!.files.map(({ path }) => path)));
    expect(onDisk.every((path) => retained.isUnnamed(path))).toBe(true);
    await retained.written(kept, cut);
    expect(onDisk.some((path) => retained.isUnnamed(path))).toBe(false);
    await retained.close();
  });
});
