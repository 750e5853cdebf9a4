import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { records } from './support/law-records.ts';
import { feedAndCheck, type LawRun } from './support/law-run.ts';

/** Laws 1, 2 and 4 over random queries, data and slicings. STREAMSQL_LAW_RUNS=N for more; a failure prints its seed. */
const RUNS = Number(process.env['STREAMSQL_LAW_RUNS'] ?? 150);
const SEED = Number(process.env['STREAMSQL_LAW_SEED'] ?? 20_261_124);

const AGGREGATES = [
  'count(*)', 'count(v)', 'sum(v)', 'min(v)', 'max(s)', 'bool_or(v > 10)', 'bit_xor(v)', 'avg(v)', 'sum(v) FILTER (WHERE k > 0)',
  'count(DISTINCT s)', 'median(v)', 'quantile_disc(v, 0.25)', 'approx_count_distinct(v)', 'stddev(v)', 'sum(DISTINCT v)',
  'list(v ORDER BY "$p", "$o")', "string_agg(s, '-' ORDER BY \"$p\", \"$o\")", 'first(v ORDER BY "$p", "$o")', 'last(s ORDER BY "$p", "$o")',
  'arg_min(s, v ORDER BY "$p", "$o")', 'arg_max(v, s ORDER BY "$p", "$o") FILTER (WHERE v < 40)', 'max(d)', 'count_if(v % 2 = 0)', 'any_value(s ORDER BY "$p", "$o")',
  'histogram(s)', 'mode(v ORDER BY "$p", "$o")',
] as const; // prettier-ignore
const aggregates = fc.uniqueArray(fc.constantFrom(...AGGREGATES), { minLength: 1, maxLength: 4 });
/** The engine goes by (partition, offset) of itself. */
const ours = (call: string): string => call.replace(' ORDER BY "$p", "$o"', '');
const named = (calls: readonly string[]): string => calls.map((call, i) => `${call} AS a${i}`).join(', ');
const keys = fc.constantFrom('', 'k', 's', 'k % 2', 'k, s', 'd');
const where = fc.constantFrom('', 'v > -20', 'k IS NOT NULL', "s <> 'a' OR v > 0");
const clause = (word: string, text: string): string => (text === '' ? '' : ` ${word} ${text}`);
const list = (text: string): string => (text === '' ? '' : `${text}, `);

/** Windows in seconds: [slide, size]. */
const window = fc.constantFrom([5, 5], [10, 10], [2, 10], [3, 10], [10, 4], [7, 7] as const);

const windowed = fc
  .record({ window, keys, where, aggregates, close: fc.boolean(), having: fc.constantFrom('', 'count(*) > 1') })
  .map(
    ({
      window: [slide = 5, size = 5],
      keys: key,
      where: condition,
      aggregates: calls,
      close,
      having,
    }): LawRun['query'] => {
      const call =
        slide === size
          ? `TUMBLE(a, ts, INTERVAL '${size} seconds')`
          : `HOP(a, ts, INTERVAL '${slide} seconds', INTERVAL '${size} seconds')`;
      const tail = `${clause('WHERE', condition)} GROUP BY window_start, window_end${key === '' ? '' : `, ${key}`}${clause('HAVING', having)}`;
      const items = `window_start, window_end, ${list(key)}`;
      const windows = `(SELECT a.*, make_timestamp(w * 1000000) AS window_start, make_timestamp((w + ${size}) * 1000000) AS window_end
      FROM raw_a a, UNNEST(range((floor((epoch(ts) - ${size}) / ${slide})::BIGINT + 1) * ${slide}, floor(epoch(ts) / ${slide})::BIGINT * ${slide} + ${slide}, ${slide})) AS u(w)
      WHERE "$wm" IS NULL OR make_timestamp((w + ${size}) * 1000000) > "$wm")`;
      const closed = close ? ' window_end <= {{w}} AND ' : ' ';
      return {
        sql: `SELECT ${items}${named(calls.map(ours))} FROM ${call}${tail}${close ? ' EMIT ON WINDOW CLOSE' : ''}`,
        oracle: `SELECT ${items}${named(calls)} FROM ${windows} WHERE${closed}(${condition === '' ? 'true' : condition})${tail.slice(clause('WHERE', condition).length)}`,
        refused: `SELECT "$p", "$o" FROM raw_a WHERE (${condition === '' ? 'true' : condition}) AND "$wm" IS NOT NULL
        AND make_timestamp((floor(epoch(ts) / ${slide})::BIGINT * ${slide} + ${size}) * 1000000) <= "$wm" AND epoch(ts) < floor(epoch(ts) / ${slide})::BIGINT * ${slide} + ${size}`,
      };
    },
  );

const running = fc
  .record({ keys, where, aggregates, having: fc.constantFrom('', 'sum(v) > 0', 'count(*) % 2 = 0') })
  .map(({ keys: key, where: condition, aggregates: calls, having }): LawRun['query'] => {
    const tail = `${clause('WHERE', condition)}${clause('GROUP BY', key)}${clause('HAVING', having)}`;
    return {
      sql: `SELECT ${list(key)}${named(calls.map(ours))} FROM a${tail}`,
      oracle: `SELECT ${list(key)}${named(calls)} FROM raw_a a${tail}`,
      refused: undefined,
    };
  });

const linear = fc
  .constantFrom(
    ['SELECT k + 1 AS k1, s || v AS t, d FROM A WHERE v IS DISTINCT FROM 3', ''],
    ['SELECT k, u.x FROM A, UNNEST([v, k, v]) AS u(x) WHERE u.x > 0', ''],
    ['SELECT k, v FROM A UNION ALL SELECT v, k FROM B WHERE k > 0', ''],
    ['SELECT q.n + 1 AS n FROM (SELECT k * v AS n FROM A WHERE s IS NOT NULL) q WHERE q.n > 2', ''],
    ["SELECT x.k, t.name FROM A x JOIN (VALUES (0, 'zero'), (1, 'one'), (1, 'uno')) t(id, name) ON x.k = t.id", ''],
    ["SELECT x.v, t.name FROM A x LEFT JOIN (VALUES (0, 'zero'), (1, 'one')) t(id, name) ON x.k = t.id", ''],
  )
  .map(([text = '']): LawRun['query'] => ({
    sql: text.replaceAll(/\bA\b/g, 'a').replaceAll(/\bB\b/g, 'b'),
    oracle: text.replaceAll(/\bA\b/g, 'raw_a').replaceAll(/\bB\b/g, 'raw_b'),
    refused: undefined,
  }));

const join = fc
  .record({
    right: fc.constantFrom('a', 'b'),
    low: fc.integer({ min: -14, max: 4 }),
    width: fc.integer({ min: 0, max: 18 }),
    bounded: fc.boolean(),
    on: fc.constantFrom(
      'x.k = y.k',
      'x.k > 0 AND y.k > 0',
      'x.k = y.k AND x.v < y.v',
      'x.k IS NOT DISTINCT FROM y.k AND x.s = y.s',
    ),
    third: fc.boolean(),
  })
  .map(({ right, low, width, bounded, on, third }): LawRun['query'] => {
    const bound = bounded
      ? ` AND y.ts BETWEEN x.ts + INTERVAL '${low} seconds' AND x.ts + INTERVAL '${low + width} seconds'`
      : '';
    const more = third
      ? ` AND z.k = x.k${bounded ? " AND z.ts >= y.ts - INTERVAL '3 seconds' AND z.ts <= y.ts" : ''}`
      : '';
    const text = (source: (name: string) => string): string =>
      `SELECT x.k, x.v AS xv, y.v AS yv, y.s${third ? ', z.v AS zv' : ''} FROM ${source('a')} x, ${source(right)} y${third ? `, ${source('b')} z` : ''} WHERE ${on}${bound}${more}`;
    return {
      sql: text((name) => name),
      oracle: text((name) =>
        bounded ? `(SELECT * FROM raw_${name} WHERE "$wm" IS NULL OR ts >= "$wm")` : `raw_${name}`,
      ),
      refused: undefined,
    };
  });

/** A window over closed windows, and a join of an aggregate with its own aggregate: views over views, the diamond. */
const nested = fc.constantFrom<LawRun['query']>(
  {
    sql: `WITH inner_windows AS (SELECT window_start, window_end, k, count(*) AS n FROM TUMBLE(a, ts, INTERVAL '5 seconds') GROUP BY window_start, window_end, k),
      most AS (SELECT window_start, window_end, max(n) AS top FROM inner_windows GROUP BY window_start, window_end)
      SELECT i.window_end, i.k, i.n FROM inner_windows i JOIN most m ON i.window_start = m.window_start AND i.window_end = m.window_end AND i.n = m.top EMIT ON WINDOW CLOSE`,
    oracle: `WITH i AS (SELECT floor(epoch(ts) / 5)::BIGINT * 5 AS w, k, count(*) AS n FROM raw_a WHERE ("$wm" IS NULL OR make_timestamp((floor(epoch(ts) / 5)::BIGINT * 5 + 5) * 1000000) > "$wm") GROUP BY ALL)
      SELECT make_timestamp((i.w + 5) * 1000000), i.k, i.n FROM i JOIN (SELECT w, max(n) AS top FROM i GROUP BY w) m ON i.w = m.w AND i.n = m.top WHERE make_timestamp((i.w + 5) * 1000000) <= {{w}}`,
    refused: undefined,
  },
  {
    sql: `SELECT window_end, sum(n) AS n FROM TUMBLE((SELECT window_end AS ended, count(*) AS n FROM TUMBLE(a, ts, INTERVAL '5 seconds') GROUP BY window_start, window_end), ended, INTERVAL '20 seconds') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE`,
    oracle: `SELECT * FROM (SELECT make_timestamp((floor(w / 20)::BIGINT * 20 + 20) * 1000000) AS e, sum(n) FROM (SELECT floor(epoch(ts) / 5)::BIGINT * 5 + 5 AS w, count(*) AS n FROM raw_a WHERE ("$wm" IS NULL OR make_timestamp((floor(epoch(ts) / 5)::BIGINT * 5 + 5) * 1000000) > "$wm") GROUP BY 1) GROUP BY 1) WHERE e <= {{w}}`,
    refused: undefined,
  },
);

const query = fc.oneof(
  { weight: 4, arbitrary: windowed },
  { weight: 2, arbitrary: running },
  { weight: 1, arbitrary: linear },
  { weight: 3, arbitrary: join },
  { weight: 1, arbitrary: nested },
);

describe('the laws', () => {
  it(`stream equals batch after every epoch, however it is cut, and nothing vanishes (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(query, records, records, fc.integer({ min: 0, max: 6 }), async (of, a, b, delay) => {
        const differences = await feedAndCheck({ query: of, a, b, delay });
        expect(differences, `${of.sql}\n${differences.join('\n')}`).toEqual([]);
      }),
      { numRuns: RUNS, seed: SEED },
    );
  }, 600_000);
});
