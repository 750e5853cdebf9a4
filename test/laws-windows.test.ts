import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { records } from './support/law-records.ts';
import { feedAndCheck, type LawRun } from './support/law-run.ts';

/** Laws 1, 2 and 4 for sessions, cumulating windows, windows with an offset and grouping sets. A failure prints its seed. */
const RUNS = Number(process.env['STREAMSQL_LAW_RUNS'] ?? 80);
const SEED = Number(process.env['STREAMSQL_LAW_SEED'] ?? 20_261_125);

type Query = LawRun['query'];

const ANY_ORDER = ['count(*)', 'sum(v)', 'min(v)', 'max(s)', 'avg(v)', 'count(DISTINCT s)', 'median(v)', 'count(v) FILTER (WHERE k > 0)']; // prettier-ignore
const IN_ORDER = ['list(v ORDER BY "$p", "$o")', 'first(s ORDER BY "$p", "$o")', ...ANY_ORDER];
/** The engine goes by (partition, offset) of itself. */
const ours = (call: string): string => call.replaceAll(' ORDER BY "$p", "$o"', '');
const named = (calls: readonly string[]): string => calls.map((call, i) => `${call} AS a${i}`).join(', ');
const calls = (all: readonly string[]): fc.Arbitrary<readonly string[]> => fc.uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 3 }); // prettier-ignore
const seconds = (count: number): string => `INTERVAL '${count}' SECOND`;
const at = (epoch: string): string => `make_timestamp(CAST(${epoch} AS BIGINT) * 1000000)`;
const keys = fc.constantFrom('', 'k', 's', 'k % 2', 'k, s');
const where = fc.constantFrom('', 'v > -20', "s <> 'a' OR v > 0");
const and = (text: string): string => (text === '' ? '' : ` WHERE ${text}`);
const list = (text: string): string => (text === '' ? '' : `${text}, `);

const ACCEPTED = '("$wm" IS NULL OR ts >= "$wm")';

/** Rows with their sessions, found without counting: a session begins where no row lies in the gap before, and ends likewise. */
function sessions(rows: string, key: string, gap: number): string {
  const same = key === '' ? 'true' : key.split(', ').map((part) => `(${part.replaceAll(/\b[ks]\b/g, 'x.$&')}) IS NOT DISTINCT FROM (${part.replaceAll(/\b[ks]\b/g, 'y.$&')})`).join(' AND '); // prettier-ignore
  const none = (low: string, high: string): string =>
    `NOT EXISTS (SELECT 1 FROM r y WHERE ${same} AND ${low} AND ${high})`;
  return `(WITH r AS (SELECT * FROM ${rows}),
    marked AS (SELECT x.*, ${none(`y.ts >= x.ts - ${seconds(gap)}`, 'y.ts < x.ts')} AS begins, ${none('y.ts > x.ts', `y.ts <= x.ts + ${seconds(gap)}`)} AS ends FROM r x)
    SELECT x.*, (SELECT max(y.ts) FROM marked y WHERE ${same} AND y.begins AND y.ts <= x.ts) AS window_start,
      (SELECT min(y.ts) FROM marked y WHERE ${same} AND y.ends AND y.ts >= x.ts) + ${seconds(gap)} AS window_end FROM marked x)`;
}

const gap = fc.integer({ min: 1, max: 8 });

const sessionRows = fc.record({ gap, keys, where, close: fc.boolean() }).map(({ gap: of, keys: key, where: condition, close }): Query => {
  const items = 'k, v, s, d, window_start, window_end, window_time';
  const computed = "window_end - INTERVAL '1 millisecond'";
  return {
    sql: `SELECT ${items} FROM SESSION(a, ts, ${seconds(of)}, partition_by => [${key}])${and(condition)}${close ? ' EMIT ON WINDOW CLOSE' : ''}`,
    oracle: `SELECT ${items.replace('window_time', computed)} FROM ${sessions(`raw_a WHERE ${ACCEPTED}`, key, of)} WHERE (${condition || 'true'})${close ? ' AND window_end < {{w}}' : ''}`,
    refused: `SELECT "$p", "$o" FROM raw_a WHERE NOT ${ACCEPTED}`,
  };
}); // prettier-ignore

const sessionGroups = fc
  .record({ gap, keys, where, form: fc.constantFrom('from', 'group'), inOrder: calls(IN_ORDER), anyOrder: calls(ANY_ORDER), close: fc.boolean(), having: fc.constantFrom('', ' HAVING count(*) > 1') })
  .map(({ gap: of, keys: key, where: condition, form, inOrder, anyOrder, close, having }): Query => {
    const aggregates = close ? inOrder : anyOrder;
    const emit = close ? ' EMIT ON WINDOW CLOSE' : '';
    const closed = close ? ' AND window_end < {{w}}' : '';
    const tail = `${key === '' ? '' : `, ${key}`}${having}`;
    const select = `SELECT window_start, window_end, ${list(key)}${named(aggregates)}`;
    if (form === 'from')
      return {
        sql: `${ours(select)} FROM SESSION(a, ts, ${seconds(of)}, partition_by => [${key}])${and(condition)} GROUP BY window_start, window_end${tail}${emit}`,
        oracle: `${select} FROM ${sessions(`raw_a WHERE ${ACCEPTED}`, key, of)} WHERE (${condition || 'true'})${closed} GROUP BY window_start, window_end${tail}`,
        refused: `SELECT "$p", "$o" FROM raw_a WHERE NOT ${ACCEPTED}`,
      };
    const call = `(ts, ${seconds(of)})`;
    return {
      sql: `${ours(select).replace('window_start', `SESSION_START${call} AS window_start`).replace(' window_end', ` SESSION_END${call} AS window_end`)} FROM a${and(condition)} GROUP BY SESSION${call}${tail}${emit}`,
      oracle: `${select} FROM ${sessions(`raw_a WHERE ${ACCEPTED} AND (${condition || 'true'})`, key, of)} WHERE true${closed} GROUP BY window_start, window_end${tail}`,
      refused: `SELECT "$p", "$o" FROM raw_a WHERE NOT ${ACCEPTED} AND (${condition || 'true'})`,
    };
  }); // prettier-ignore

/** Rows that change move from session to session, and bridge gaps no more when they are gone. */
const sessionOverChanges = fc.record({ gap, keys: fc.constantFrom('', 'k % 2'), by: fc.constantFrom('k', 's') }).map(({ gap: of, keys: key, by }): Query => {
  const latest = (from: string): string => `(SELECT ${by}, ${by === 'k' ? '' : 'any_value(k ORDER BY k) AS k, '}max(ts) AS ts, count(*) AS n FROM ${from} GROUP BY ${by})`;
  return {
    sql: `SELECT ${by}, n, window_start, window_end FROM SESSION(${latest('a')}, ts, ${seconds(of)}, partition_by => [${key}])`,
    oracle: `SELECT ${by}, n, window_start, window_end FROM ${sessions(latest('raw_a'), key, of)}`,
    refused: undefined,
  };
}); // prettier-ignore

/** A window over closed sessions: of how many sessions of a key it holds the end. */
const windowOverSessions = fc.record({ gap, size: fc.constantFrom(5, 10) }).map(({ gap: of, size }): Query => {
  const grouped = (from: string): string => `SELECT k, window_start AS began, window_end AS ended, count(*) AS n FROM ${from} GROUP BY window_start, window_end, k`;
  return {
    sql: `SELECT window_start, k, count(*) AS sessions, sum(n) AS rows FROM TUMBLE((${grouped(`SESSION(a, ts, ${seconds(of)}, partition_by => [k])`)}), ended, ${seconds(size)}) GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE`,
    oracle: `SELECT w, k, count(*), sum(n) FROM (SELECT ${at(`floor(epoch(ended) / ${size}) * ${size}`)} AS w, * FROM (${grouped(sessions(`raw_a WHERE ${ACCEPTED}`, 'k', of))})) WHERE w + ${seconds(size)} <= {{w}} GROUP BY w, k`,
    refused: undefined,
  };
}); // prettier-ignore

interface Shape {
  readonly call: string;
  /** Of a row: where its windows begin and end, as a list of pairs of seconds. */
  readonly windows: string;
}

const offset = fc.integer({ min: -13, max: 13 });

const cumulate = fc
  .record({ of: fc.constantFrom([5, 5], [2, 10], [3, 9], [5, 20]), moved: fc.option(offset, { nil: 0 }) })
  .map(({ of: [step = 5, size = 5], moved }): Shape => {
    const base = `(CAST(floor((epoch(ts) - ${moved}) / ${size}) AS BIGINT) * ${size} + ${moved})`;
    const windows = `list_filter(list_transform(range(1, ${size / step + 1}), lambda j: {s: ${base}, e: ${base} + j * ${step}}), lambda w: w.e > epoch(ts))`;
    return {
      call: `CUMULATE(a, ts, ${seconds(step)}, ${seconds(size)}${moved === 0 ? '' : `, ${seconds(moved)}`})`,
      windows,
    };
  });

const moved = fc.record({ of: fc.constantFrom([5, 5], [10, 10], [2, 10], [3, 10], [7, 7], [10, 4]), moved: offset }).map(({ of: [slide = 5, size = 5], moved: by }): Shape => {
  const starts = `range((CAST(floor((epoch(ts) - ${by} - ${size}) / ${slide}) AS BIGINT) + 1) * ${slide} + ${by}, CAST(floor((epoch(ts) - ${by}) / ${slide}) AS BIGINT) * ${slide} + ${by} + 1, ${slide})`;
  const windows = `list_transform(${starts}, lambda w: {s: w, e: w + ${size}})`;
  return {
    call: slide === size ? `TUMBLE(a, ts, ${seconds(size)}, ${seconds(by)})` : `HOP(a, ts, ${seconds(slide)}, ${seconds(size)}, ${seconds(by)})`,
    windows,
  };
}); // prettier-ignore

const windowed = fc
  .record({ shape: fc.oneof(cumulate, moved), keys, where, aggregates: calls(IN_ORDER), close: fc.boolean(), having: fc.constantFrom('', ' HAVING count(*) > 1') })
  .map(({ shape, keys: key, where: condition, aggregates, close, having }): Query => {
    const select = `SELECT window_start, window_end, ${list(key)}${named(aggregates)}`;
    const tail = `GROUP BY window_start, window_end${key === '' ? '' : `, ${key}`}${having}`;
    const rows = `(SELECT a.*, ${at('w.s')} AS window_start, ${at('w.e')} AS window_end FROM (SELECT *, ${shape.windows} AS ws FROM raw_a) a, UNNEST(ws) AS u(w) WHERE "$wm" IS NULL OR ${at('w.e')} > "$wm")`;
    const last = `list_max(list_transform(${shape.windows}, lambda w: w.e))`;
    return {
      sql: `${ours(select)} FROM ${shape.call}${and(condition)} ${tail}${close ? ' EMIT ON WINDOW CLOSE' : ''}`,
      oracle: `${select} FROM ${rows} WHERE (${condition || 'true'})${close ? ' AND window_end <= {{w}}' : ''} ${tail}`,
      refused: `SELECT "$p", "$o" FROM raw_a WHERE (${condition || 'true'}) AND ${at(last)} <= "$wm"`,
    };
  }); // prettier-ignore

/** Each set a group of its own, over rows that only come and over results that change. */
const groupingSets = fc
  .record({ by: fc.constantFrom('ROLLUP (k, s)', 'CUBE (k, s)', 'GROUPING SETS ((k), (s), (), (k, s), ())', 'k % 2, ROLLUP (s)', 'GROUPING SETS ((k % 2, s), (k % 2))', 'ROLLUP (k)'), aggregates: calls(ANY_ORDER), having: fc.constantFrom('', ' HAVING count(*) > 2'), changing: fc.boolean(), over: fc.boolean() })
  .map(({ by, aggregates, having, changing, over }): Query => {
    const keys = ['k % 2', 'k', 's'].filter((key) => new RegExp(`[(, ]${key.replace('%', '\\%')}[), ]`).test(` ${by} `) && !(key === 'k' && by.includes('k % 2')));
    const ranked = over ? `, rank() OVER (PARTITION BY grouping(${keys.join(', ')}) ORDER BY count(*)) AS r` : '';
    const text = (a: string): string =>
      `SELECT ${keys.join(', ')}, grouping(${keys.join(', ')}) AS g, ${named(aggregates)}${ranked} FROM ${changing ? `(SELECT s, k, max(v) AS v FROM ${a} GROUP BY s, k)` : a} GROUP BY ${by}${having}`;
    return { sql: text('a'), oracle: text('raw_a'), refused: undefined };
  }); // prettier-ignore

const query = fc.oneof(
  { weight: 2, arbitrary: sessionRows },
  { weight: 3, arbitrary: sessionGroups },
  { weight: 2, arbitrary: sessionOverChanges },
  { weight: 1, arbitrary: windowOverSessions },
  { weight: 3, arbitrary: windowed },
  { weight: 2, arbitrary: groupingSets },
);

describe('the laws of windows', () => {
  it(`stream equals batch after every epoch, however it is cut, and nothing vanishes (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(query, records, fc.integer({ min: 0, max: 6 }), async (of, a, delay) => {
        const differences = await feedAndCheck({ query: of, a, b: [], delay });
        expect(differences, `${of.sql}\n${differences.join('\n')}`).toEqual([]);
      }),
      { numRuns: RUNS, seed: SEED },
    );
  }, 600_000);
});
