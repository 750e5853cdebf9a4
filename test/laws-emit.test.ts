import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { feedAndCheck, type LawRun } from './support/law-run.ts';

/**
 * The laws where the clock has a say: retention by now(), EMIT EVERY; and where a closed window is corrected. Random data,
 * clocks and slicings against plain DuckDB. STREAMSQL_LAW_RUNS=N for more; a failure prints its seed.
 */
const RUNS = Number(process.env['STREAMSQL_LAW_RUNS'] ?? 60);
const SEED = Number(process.env['STREAMSQL_LAW_SEED'] ?? 20_261_125);

const record = fc.record({
  k: fc.option(fc.integer({ min: 0, max: 3 }), { nil: null, freq: 6 }),
  v: fc.option(fc.integer({ min: -50, max: 50 }), { nil: null, freq: 6 }),
  s: fc.option(fc.constantFrom('a', 'b', 'cc', ''), { nil: null, freq: 6 }),
  d: fc.option(fc.constantFrom('0.5', '-0.0', "'NaN'", '-3.25'), { nil: null, freq: 6 }),
  behind: fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) },
    { weight: 2, arbitrary: fc.integer({ min: 4, max: 12 }) },
    { weight: 1, arbitrary: fc.integer({ min: 13, max: 40 }) },
  ),
  step: fc.integer({ min: 0, max: 4 }),
  partition: fc.integer({ min: 0, max: 2 }),
  cut: fc.integer({ min: 0, max: 3 }).map((draw) => draw === 0),
});
const records = fc.array(record, { minLength: 0, maxLength: 50, size: 'max' });
/** Steps beyond the last record are ticks of the clock alone. */
const clock = fc.record({
  start: fc.integer({ min: -10, max: 30 }),
  steps: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 0, max: 12 }).map((s) => s * 1000)), { minLength: 2, maxLength: 20 }),
}); // prettier-ignore

const seconds = fc.integer({ min: 0, max: 25 });
/** Conditions on the clock and a column `T`. */
const condition = fc.oneof(
  fc.tuple(fc.constantFrom('>', '>='), seconds).map(([op, n]) => `T ${op} now() - INTERVAL '${n} seconds'`),
  fc.tuple(fc.constantFrom('<', '<='), seconds).map(([op, n]) => `T ${op} now() - INTERVAL '${n} seconds'`),
  fc.tuple(fc.constantFrom('<', '<='), seconds).map(([op, n]) => `now() - T ${op} INTERVAL '${n} seconds'`),
  fc.tuple(fc.constantFrom('<', '<=', '>', '>='), seconds).map(([op, n]) => `now() ${op} T + INTERVAL '${n} seconds'`),
  seconds.map((n) => `T BETWEEN now() - INTERVAL '${n} seconds' AND now()`),
  fc.tuple(seconds, seconds).map(([n, m]) => `now() BETWEEN T + INTERVAL '${n} seconds' AND T + INTERVAL '${n + m} seconds'`),
  seconds.map((n) => `T + v * INTERVAL '1 second' > now() - INTERVAL '${n} seconds'`),
  fc.tuple(seconds, seconds).map(([n, m]) => `T > now() - INTERVAL '${n} seconds' AND T <= now() + INTERVAL '${m} seconds'`),
); // prettier-ignore

const run = (query: LawRun['query']): LawRun['query'] => query;
const over = (text: string): string => text.replaceAll('now()', '{{now}}').replaceAll('A_', 'raw_a').replaceAll('B_', 'raw_b'); // prettier-ignore
const same = (text: string): LawRun['query'] =>
  run({ sql: text.replaceAll('A_', 'a').replaceAll('B_', 'b'), oracle: over(text), refused: undefined });
const on = (text: string, column: string): string => text.replaceAll(/\bT\b/g, column).replaceAll(/\bv\b/g, `${column.split('.')[0] ?? ''}.v`); // prettier-ignore

const retention = fc
  .record({ one: condition, two: condition, more: fc.constantFrom('', ' AND x.v > -20', ' AND x.k IS NOT NULL') })
  .chain(({ one, two, more }) => {
    const [x, y] = [on(one, 'x.ts'), on(two, 'y.ts')];
    return fc.constantFrom(
      `SELECT x.k, x.v, x.d FROM A_ x WHERE ${x}${more}`,
      `SELECT x.k, x.s FROM A_ x WHERE ${x} AND ${on(two, 'x.ts')}${more}`,
      `SELECT x.k, count(*) AS n, sum(x.v) AS total, max(x.s) AS top, median(x.v) AS m FROM A_ x WHERE ${x}${more} GROUP BY x.k`,
      `SELECT count(*) AS n, min(x.v) AS least FROM A_ x WHERE ${x}${more}`,
      `SELECT count(*) AS keys, max(n) AS most FROM (SELECT x.k, count(*) AS n FROM A_ x WHERE ${x} GROUP BY x.k)`,
      `SELECT x.k, x.v, y.v AS w FROM A_ x JOIN B_ y ON x.k = y.k WHERE ${x}${more}`,
      `SELECT x.k, x.v, y.v AS w FROM A_ x JOIN B_ y ON x.k = y.k AND ${y} WHERE ${x}${more}`,
      `SELECT x.k, y.v FROM A_ x LEFT JOIN B_ y ON x.k = y.k WHERE ${x}`,
      `SELECT x.k, x.v FROM A_ x WHERE ${x} AND x.k IN (SELECT y.k FROM B_ y WHERE ${y})`,
      `SELECT x.k, x.v FROM A_ x WHERE NOT EXISTS (SELECT 1 FROM B_ y WHERE y.k = x.k AND ${y})`,
      `SELECT DISTINCT x.k FROM A_ x WHERE ${x} UNION ALL SELECT y.k FROM B_ y WHERE ${y}`,
      `SELECT x.k, u.z FROM A_ x, UNNEST([x.v, x.k]) AS u(z) WHERE ${x}`,
      `SELECT x.k, y.k AS l FROM A_ x JOIN B_ y ON x.v < y.v WHERE greatest(x.ts, y.ts) > now() - INTERVAL '9 seconds'`,
    );
  })
  .map(same);

const every = fc.integer({ min: 1, max: 9 }).chain((n) => {
  const seen = (name: string): string => `(SELECT * FROM raw_${name} WHERE "$c" < {{every:${n}}})`;
  const texts = [
    'SELECT k, v, s, d FROM A_ WHERE v > -20',
    'SELECT k, count(*) AS n, sum(v) AS total, median(v) AS m FROM A_ GROUP BY k',
    'SELECT count(*) AS n, max(s) AS top FROM A_',
    'SELECT x.k, x.v, y.v AS w FROM A_ x JOIN B_ y ON x.k = y.k',
    'SELECT x.k, y.v FROM A_ x LEFT JOIN B_ y ON x.k = y.k AND x.v < y.v',
    'SELECT k, max(v) AS top FROM A_ GROUP BY k ORDER BY top DESC NULLS LAST, k LIMIT 2',
  ];
  const emit = ` EMIT EVERY INTERVAL '${n} seconds'`;
  return fc.tuple(fc.constantFrom(...texts), fc.boolean()).map(([text, nested]): LawRun['query'] => {
    const ours = text.replaceAll('A_', 'a').replaceAll('B_', 'b');
    const theirs = text.replaceAll('A_', seen('a')).replaceAll('B_', seen('b'));
    if (!nested) return { sql: `${ours}${emit}`, oracle: theirs, refused: undefined };
    const outer = (from: string): string => `SELECT DISTINCT * FROM ${from}`;
    return { before: `CREATE VIEW gathered AS ${ours}${emit};`, sql: outer('gathered'), oracle: outer(`(${theirs})`), refused: undefined }; // prettier-ignore
  });
});

const AGGREGATES = ['count(*)', 'sum(v)', 'max(s)', 'avg(v)', 'median(v)', 'count(DISTINCT s)', 'min(v) FILTER (WHERE k > 0)'] as const; // prettier-ignore

const corrected = fc
  .record({
    window: fc.constantFrom([5, 5], [10, 10], [2, 10], [3, 10], [10, 4]),
    key: fc.constantFrom('', ', k', ', s', ', k % 2'),
    where: fc.constantFrom('true', 'v > -20', 'k IS NOT NULL'),
    aggregates: fc.uniqueArray(fc.constantFrom(...AGGREGATES), { minLength: 1, maxLength: 3 }),
    having: fc.constantFrom('', ' HAVING count(*) % 2 = 1'),
    lateness: fc.integer({ min: 1, max: 25 }),
    nested: fc.boolean(),
  })
  .map(({ window: [slide = 5, size = 5], key, where, aggregates, having, lateness, nested }): LawRun['query'] => {
    const call = slide === size
      ? `TUMBLE(a, ts, INTERVAL '${size} seconds')`
      : `HOP(a, ts, INTERVAL '${slide} seconds', INTERVAL '${size} seconds')`; // prettier-ignore
    const named = aggregates.map((aggregate, i) => `${aggregate} AS a${i}`).join(', ');
    const at = (end: string): string => `make_timestamp((${end} + ${lateness}) * 1000000)`;
    const windows = `(SELECT a.*, make_timestamp(w * 1000000) AS window_start, make_timestamp((w + ${size}) * 1000000) AS window_end
      FROM raw_a a, UNNEST(range((floor((epoch(ts) - ${size}) / ${slide})::BIGINT + 1) * ${slide}, floor(epoch(ts) / ${slide})::BIGINT * ${slide} + ${slide}, ${slide})) AS u(w)
      WHERE "$wm" IS NULL OR ${at(`w + ${size}`)} > "$wm")`;
    const tail = ` GROUP BY window_start, window_end${key}${having}`;
    const ours = `SELECT window_start${key}, ${named} FROM ${call} WHERE ${where}${tail} EMIT ON WINDOW CLOSE ALLOWED LATENESS INTERVAL '${lateness} seconds'`;
    const theirs = `SELECT window_start${key}, ${named} FROM ${windows} WHERE window_end <= {{w}} AND (${where})${tail}`;
    const last = `floor(epoch(ts) / ${slide})::BIGINT * ${slide} + ${size}`;
    const refused = `SELECT "$p", "$o" FROM raw_a WHERE (${where}) AND "$wm" IS NOT NULL AND ${at(last)} <= "$wm" AND epoch(ts) < ${last}`;
    if (!nested) return { sql: ours, oracle: theirs, refused };
    const outer = (from: string): string =>
      `SELECT window_start, count(*) AS n, max(a0) AS top FROM ${from} q GROUP BY window_start`;
    return { before: `CREATE VIEW closed AS ${ours};`, sql: outer('closed'), oracle: outer(`(${theirs})`), refused };
  });

const law = async (query: fc.Arbitrary<LawRun['query']>, clocks: fc.Arbitrary<LawRun['clock']>): Promise<void> => {
  await fc.assert(
    fc.asyncProperty(
      query,
      records,
      records,
      fc.integer({ min: 0, max: 6 }),
      clocks,
      async (of, a, b, delay, turns) => {
        const differences = await feedAndCheck({
          query: of,
          a,
          b,
          delay,
          ...(turns === undefined ? {} : { clock: turns }),
        });
        expect(differences, `${of.before ?? ''} ${of.sql}\n${differences.join('\n')}`).toEqual([]);
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
};

describe('the laws by the clock', () => {
  it(`rows come and go with now() as in plain DuckDB (seed ${SEED})`, () => law(retention, clock), 600_000);
  it(`EMIT EVERY gives the answer as of the last multiple (seed ${SEED})`, () => law(every, clock), 600_000);
  it(
    `a closed window is corrected as long as was allowed (seed ${SEED})`,
    () => law(corrected, fc.constant(undefined)),
    600_000,
  );
});
