import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChangelogBench, type FedLine } from './support/changelog-bench.ts';

/** A source of changes against a Map: after every epoch the rows are the map's. A failure prints its seed. */
const RUNS = Number(process.env['STREAMSQL_LAW_RUNS'] ?? 25);
const SEED = 20_261_125;
const KEYS = 4;

/** One thing that happens to the table. `key` also decides the partition, as a producer's partitioner does. */
const happening = fc.record({
  what: fc.constantFrom('put', 'put', 'put', 'end', 'noise'),
  key: fc.integer({ min: 0, max: KEYS - 1 }),
  v: fc.constantFrom('1', '2', 'null', '"NaN"', '"-0.0"', '0.0', '1e300'),
  s: fc.constantFrom('"a"', '"b"', 'null', '""', '"\\u00e4\\n"'),
  envelope: fc.boolean(),
  /** Whether an epoch ends after it. */
  cut: fc.integer({ min: 0, max: 3 }).map((draw) => draw === 0),
});
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;
const happenings = fc.array(happening, { maxLength: 50, size: 'max' });

interface Step {
  readonly line: FedLine;
  /** The rows after it, as they print. */
  readonly rows: readonly string[];
  readonly dead: number;
  readonly cut: boolean;
}

const shown = (text: string): string =>
  ({ '1': '1.0', '2': '2.0', '"NaN"': 'nan', '"-0.0"': '-0.0', '1e300': '1e+300' })[text] ?? text;
const row = (key: number, { v, s }: Happening): string => `{"k":${key},"v":${v},"s":${s}}`;
const printed = (key: number, { v, s }: Happening): string =>
  `${key}|${shown(v)}|${s === 'null' ? 'null' : JSON.parse(s)}`;
const wrap = (line: string, envelope: boolean): string => (envelope ? `{"schema":null,"payload":${line}}` : line);

function steps(
  list: readonly Happening[],
  write: (happened: Happening, kept: Happening[]) => string | undefined,
  model: (happened: Happening, kept: Happening[]) => boolean,
): readonly Step[] {
  const table = new Map<number, Happening[]>();
  let dead = 0;
  const all: Step[] = [];
  for (const happened of list) {
    const kept = table.get(happened.key) ?? [];
    table.set(happened.key, kept);
    const line = write(happened, kept);
    if (line === undefined) continue;
    if (!model(happened, kept)) dead++;
    const rows = [...table].flatMap(([key, rowsOfKey]) => rowsOfKey.map((one) => printed(key, one))).toSorted();
    all.push({ line: { partition: happened.key % 2, line }, rows, dead, cut: happened.cut });
  }
  return all;
}

async function check(source: string, list: readonly Step[]): Promise<void> {
  const bench = await ChangelogBench.open(source);
  try {
    let open: FedLine[] = [];
    for (const [i, step] of list.entries()) {
      open.push(step.line);
      if (!step.cut && i < list.length - 1) continue;
      await bench.epoch(open);
      open = [];
      expect(await bench.texts(['k', 'v', 's'])).toEqual(step.rows);
      expect(bench.dead.length).toBe(step.dead);
    }
  } finally {
    bench.close();
  }
}

/** The last row of the key, or none. */
const byKey = (happened: Happening, kept: Happening[]): boolean => {
  if (happened.what === 'noise') return false;
  kept.length = 0;
  if (happened.what === 'put') kept.push(happened);
  return true;
};

const COLUMNS = 'k INT, v DOUBLE, s VARCHAR';
const FILE = "connector = 'file', path = 'x.jsonl'";
const KAFKA = "connector = 'kafka', brokers = 'b:9092', topic = 't'";
const run = (property: (list: readonly Happening[]) => Promise<void>): Promise<void> =>
  fc.assert(fc.asyncProperty(happenings, property), { numRuns: RUNS, seed: SEED });

describe('a source of changes equals a map', () => {
  it('upsert by PRIMARY KEY', { timeout: 120_000 }, () =>
    run((list) => {
      const write = (happened: Happening): string => {
        if (happened.what === 'noise') return `{"k":"no number","v":${happened.v}}`;
        if (happened.what === 'end') return `{"k":${happened.key},"__deleted":true}`;
        return row(happened.key, happened);
      };
      const all = steps(list, write, byKey);
      return check(`CREATE SOURCE s (${COLUMNS}, PRIMARY KEY (k)) WITH (${FILE}, format = 'upsert')`, all);
    }),
  );

  it("upsert by the record's own key", { timeout: 120_000 }, () =>
    run((list) => {
      const write = (happened: Happening): string => {
        if (happened.what === 'noise') return row(happened.key, happened);
        const key = `"$key":{"id":"${happened.key}"}`;
        if (happened.what === 'end') return `{${key},"$deleted":true}`;
        return `{${key},${row(happened.key, happened).slice(1)}`;
      };
      const all = steps(list, write, byKey);
      return check(`CREATE SOURCE s (${COLUMNS}) WITH (${KAFKA}, format = 'upsert')`, all);
    }),
  );

  it('debezium by PRIMARY KEY, whatever before says', { timeout: 120_000 }, () =>
    run((list) => {
      const write = (happened: Happening, kept: Happening[]): string => {
        const { what, key, envelope } = happened;
        const before = what === 'end' ? `{"k":${key}}` : 'null';
        const after = what === 'end' ? 'null' : row(key, happened);
        const op = what === 'end' ? 'd' : what === 'noise' ? 't' : kept.length > 0 ? 'u' : 'c';
        return wrap(`{"before":${before},"after":${after},"op":"${op}"}`, envelope);
      };
      const all = steps(list, write, byKey);
      return check(`CREATE SOURCE s (${COLUMNS}, PRIMARY KEY (k)) WITH (${FILE}, format = 'debezium')`, all);
    }),
  );

  it('debezium as a multiset', { timeout: 120_000 }, () =>
    run((list) => {
      const write = (happened: Happening, kept: Happening[]): string | undefined => {
        const { what, key, envelope } = happened;
        const [old] = kept;
        if (what === 'noise') return wrap(`{"before":null,"after":null,"op":"u"}`, envelope);
        if (what === 'end' && old === undefined) return undefined;
        const before = old === undefined ? 'null' : row(key, old);
        if (what === 'end') return wrap(`{"before":${before},"after":null,"op":"d"}`, envelope);
        // A second equal row is created; else the first is updated.
        const update = old !== undefined && happened.cut;
        return wrap(
          `{"before":${update ? before : 'null'},"after":${row(key, happened)},"op":"${update ? 'u' : 'r'}"}`,
          envelope,
        );
      };
      const model = (happened: Happening, kept: Happening[]): boolean => {
        if (happened.what === 'noise') return false;
        if (happened.what === 'end' || (kept.length > 0 && happened.cut)) kept.shift();
        if (happened.what === 'put') kept.push(happened);
        return true;
      };
      return check(`CREATE SOURCE s (${COLUMNS}) WITH (${FILE}, format = 'debezium')`, steps(list, write, model));
    }),
  );
});
