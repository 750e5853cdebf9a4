import type { Chunk, PartitionState, PollRequest, SourceReader, SourceResume } from '../../src/base/connector.ts';
import { raw, sql } from '../../src/base/sql.ts';
import { open } from '../../src/engine.ts';
import { Duck } from '../../src/exec/duck.ts';
import { Turnstile } from '../../src/testing/turnstile.ts';

export interface LawRecord {
  readonly k: number | null;
  readonly v: number | null;
  readonly s: string | null;
  readonly d: string | null;
  readonly behind: number;
  readonly step: number;
  readonly partition: number;
  readonly cut: boolean;
}

export interface LawRun {
  readonly query: {
    readonly sql: string;
    /** Views before the one that is held against the oracle. */
    readonly before?: string;
    /**
     * Over `raw_a` and `raw_b`; `{{w}}` is the source's watermark. With `clock`: `{{now}}` is the engine's clock, which a
     * row's `"$c"` was, and `{{every:N}}` its last multiple of N seconds, at the end a time beyond all.
     */
    readonly oracle: string;
    /** The rows of `a` that the view refuses altogether. */
    readonly refused: string | undefined;
  };
  readonly a: readonly LawRecord[];
  readonly b: readonly LawRecord[];
  /** Seconds. */
  readonly delay: number;
  /** The engine's clock: how far ahead of the first event time it starts, and how far it moves before each epoch, ms. */
  readonly clock?: { readonly start: number; readonly steps: readonly number[] };
}

interface Row {
  readonly cells: string;
  readonly partition: number;
  readonly offset: number;
  /** Seconds. */
  readonly time: number;
  /** The watermark of its partition just before it; undefined before the first. */
  readonly before: number | undefined;
}

const BASE = 1_700_000_000;
const SCHEMA = 'k INTEGER, v BIGINT, s VARCHAR, d DOUBLE, ts TIMESTAMP';

/** Feeds both sources epoch by epoch; after each, what differs between the view and plain DuckDB's answer. */
export async function feedAndCheck(run: LawRun): Promise<readonly string[]> {
  const sources = { a: epochsOf(run.a, run.delay), b: epochsOf(run.b, run.delay) };
  const readers = new Map<string, FedReader>();
  let now = (BASE + (run.clock?.start ?? 0)) * 1000;
  const engine = await open({}, {
    pollAll: true,
    ...(run.clock === undefined ? {} : { now: () => now }),
    openReader: (source, { resume }) => {
      const reader = new FedReader(source.name === 'a' ? sources.a : sources.b, resume);
      readers.set(source.name, reader);
      return reader;
    },
  }); // prettier-ignore
  const oracle = await Duck.open(':memory:', { threads: '1' });
  const asked = await oracle.connect();
  const differences: string[] = [];
  let failure: unknown;
  try {
    const declared = (name: string): string =>
      `CREATE SOURCE ${name} (${SCHEMA}, WATERMARK FOR ts AS ts - INTERVAL '${run.delay} seconds') WITH (connector = 'file', path = '${name}.json');`;
    await engine.sql(
      `${declared('a')} ${declared('b')} ${run.query.before ?? ''} CREATE MATERIALIZED VIEW answer AS ${run.query.sql};`,
    );
    for (const name of ['a', 'b']) {
      await asked.run(
        raw(`CREATE TABLE raw_${name} (${SCHEMA}, "$p" INTEGER, "$o" BIGINT, "$wm" TIMESTAMP, "$c" TIMESTAMP)`),
      );
    }
    let committed: () => void = () => undefined;
    let next = new Promise<void>((resolve) => (committed = resolve));
    const running = engine.run({
      onEvent: (event) => {
        if (event.event === 'epoch') committed();
      },
    });
    running.catch((error: unknown) => {
      failure = error;
      committed();
    });
    await next;
    if (failure !== undefined) throw failure;
    const check = async (when: string, watermark: string): Promise<void> => {
      const { rows } = await engine.query('SELECT * FROM answer');
      const oracle = run.query.oracle
        .replaceAll('{{w}}', watermark)
        .replaceAll('{{now}}', `make_timestamp(${now}::BIGINT * 1000)`)
        .replaceAll(/\{\{every:(\d+)\}\}/g, (_, every: string) =>
          when === 'at the end'
            ? "TIMESTAMP '9999-01-01'"
            : instant(Math.floor(now / 1000 / Number(every)) * Number(every)),
        );
      const expected = await asked.table(raw(oracle));
      const [got, want] = [canonical(rows), canonical(expected.rows)];
      if (got.join('\n') !== want.join('\n'))
        differences.push(`${when}: got ${got.join(' | ')}; want ${want.join(' | ')}`);
    };
    const longest = Math.max(...[...readers.values()].map((reader) => reader.epochs.length));
    const epochs = Math.max(longest, run.clock?.steps.length ?? 0);
    for (let e = 0; e < epochs; e++) {
      await Promise.all([...readers.values()].map((reader) => reader.turnstile.occupied()));
      next = new Promise<void>((resolve) => (committed = resolve));
      now += run.clock?.steps[e] ?? 0;
      for (const [name, reader] of readers) {
        for (const row of reader.epochs[e] ?? [])
          await asked.run(
            raw(
              `INSERT INTO raw_${name} VALUES (${row.cells}, ${row.partition}, ${row.offset}, ${row.before === undefined ? 'NULL' : instant(row.before)}, make_timestamp(${now}::BIGINT * 1000))`,
            ),
          );
      }
      const fed = [...readers.values()].some((reader) => (reader.epochs[e] ?? []).length > 0);
      for (const reader of readers.values()) reader.give(e);
      if (fed) await next;
      else await turned(readers);
      if (failure !== undefined) throw failure;
      await check(`after epoch ${e}`, watermarkOf([...readers.values()], e, run.delay));
    }
    for (const reader of readers.values()) reader.end();
    await running;
    await check('at the end', "TIMESTAMP '9999-01-01'");
    if (run.query.refused !== undefined && readers.has('a')) {
      const late = await engine.query('SELECT partition, "offset" FROM _streamsql.late WHERE NOT partly');
      const want = canonical((await asked.table(raw(`SELECT '' || "$p", "$o" FROM (${run.query.refused})`))).rows);
      const got = canonical(late.rows);
      if (got.join('\n') !== want.join('\n'))
        differences.push(`late: got ${got.join(' | ')}; want ${want.join(' | ')}`);
    }
    const [run1] = (await engine.query('SELECT CAST(sum(rows) AS INTEGER) FROM _streamsql.epochs')).rows;
    const all = [...readers.values()].reduce((sum, reader) => sum + reader.epochs.flat().length, 0);
    if (Number(run1?.[0] ?? 0) !== all) differences.push(`${String(run1?.[0])} rows recorded of ${all}`);
  } finally {
    await engine.close();
    asked.close();
    oracle.close();
  }
  return differences;
}

/** Without rows there is an epoch only where the clock calls for one: it is over when all sources are asked again. */
const turned = async (readers: ReadonlyMap<string, FedReader>): Promise<void> => {
  await Promise.all([...readers.values()].map((reader) => reader.turnstile.occupied()));
};

/** The rows of one source by epoch, each with the running watermark of its own partition just before it. */
function epochsOf(records: readonly LawRecord[], delay: number): readonly (readonly Row[])[] {
  const clocks = [BASE, BASE + 2, BASE + 1];
  const greatest: (number | undefined)[] = [];
  const offsets = [0, 0, 0];
  const epochs: Row[][] = [[]];
  for (const record of records) {
    const { partition } = record;
    const clock = (clocks[partition] ?? BASE) + record.step;
    clocks[partition] = clock;
    const time = clock - record.behind;
    const seen = greatest[partition];
    const text = (value: string | number | null): string =>
      value === null ? 'NULL' : typeof value === 'number' ? String(value) : `'${value}'`;
    epochs.at(-1)?.push({
      cells: `${text(record.k)}, ${text(record.v)}, ${text(record.s)}, ${record.d ?? 'NULL'}::DOUBLE, ${instant(time)}`,
      partition,
      offset: offsets[partition] ?? 0,
      time,
      before: seen === undefined ? undefined : seen - delay,
    });
    offsets[partition] = (offsets[partition] ?? 0) + 1;
    greatest[partition] = seen === undefined || time > seen ? time : seen;
    if (record.cut) epochs.push([]);
  }
  return epochs;
}

const instant = (seconds: number): string => `make_timestamp(${seconds}::BIGINT * 1000000)`;

/** The least watermark of the sources so far: of each the least of its partitions' greatest times less the delay. */
function watermarkOf(readers: readonly FedReader[], epoch: number, delay: number): string {
  const least = readers.flatMap((reader) =>
    reader.partitions.map((_, partition) => {
      const times = reader.epochs.slice(0, epoch + 1).flat().filter((row) => row.partition === partition).map((row) => row.time); // prettier-ignore
      return times.length === 0 ? Number.NEGATIVE_INFINITY : Math.max(...times) - delay;
    }),
  );
  const watermark = Math.min(...least);
  return watermark === Number.NEGATIVE_INFINITY ? "TIMESTAMP '0001-01-01'" : instant(watermark);
}

/** Rows as sorted text: doubles to nine digits, NULL, NaN and -0 as they compare in SQL. */
function canonical(rows: readonly (readonly unknown[])[]): readonly string[] {
  const cell = (value: unknown): unknown => {
    if (typeof value === 'number' && Number.isFinite(value)) return Number(value.toPrecision(9)) + 0;
    if (Array.isArray(value)) return value.map(cell);
    return value;
  };
  return rows.map((row) => JSON.stringify(row.map(cell))).sort();
}

class FedReader implements SourceReader {
  readonly epochs: readonly (readonly Row[])[];
  readonly turnstile = new Turnstile();
  private readonly states: { name: string; position: number; end: number; done: boolean }[];

  constructor(epochs: readonly (readonly Row[])[], resume?: SourceResume) {
    this.epochs = epochs;
    this.states = [0, 1, 2].map((i) => {
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
    const all = this.epochs.flat();
    const again = all.filter(({ partition, offset }) => offset >= (this.states[partition]?.position ?? 0) && offset < (upTo.get(partition) ?? 0)); // prettier-ignore
    return Promise.resolve(this.chunks(again));
  }

  give(epoch: number): void {
    this.turnstile.pass(this.chunks(this.epochs[epoch] ?? []));
  }

  private chunks(rows: readonly Row[]): readonly Chunk[] {
    return this.states.flatMap((state, partition) => this.chunk(state, rows.filter((row) => row.partition === partition), partition)); // prettier-ignore
  }

  private chunk(state: { position: number; end: number }, rows: readonly Row[], partition: number): readonly Chunk[] {
    const [first] = rows;
    if (first === undefined) return [];
    const from = state.position;
    state.position += rows.length;
    state.end = state.position;
    const values = rows.map((row) => `(${row.cells})`).join(', ');
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
