import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { open } from '../src/engine.ts';
import { feedAndCheck, type LawRun } from './support/law-run.ts';

/** Law 1 and 2 for joins that pick a row by time. STREAMSQL_LAW_RUNS=N for more; a failure prints its seed. */
const RUNS = Number(process.env['STREAMSQL_LAW_RUNS'] ?? 60);
const SEED = Number(process.env['STREAMSQL_LAW_SEED'] ?? 20_261_124);

const record = fc.record({
  k: fc.option(fc.integer({ min: 0, max: 2 }), { nil: null, freq: 6 }),
  v: fc.option(fc.integer({ min: -3, max: 3 }), { nil: null, freq: 6 }),
  s: fc.option(fc.constantFrom('a', 'b'), { nil: null, freq: 6 }),
  d: fc.option(fc.constantFrom('0.5', '-0.0', '0.0', "'NaN'"), { nil: null, freq: 6 }),
  /** Seconds that the event is behind where its partition stands; more than the delay at times. */
  behind: fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) },
    { weight: 2, arbitrary: fc.integer({ min: 4, max: 12 }) },
  ),
  step: fc.integer({ min: 0, max: 3 }),
  partition: fc.integer({ min: 0, max: 2 }),
  /** Whether an epoch ends after it. */
  cut: fc.integer({ min: 0, max: 3 }).map((draw) => draw === 0),
});
const records = fc.array(record, { minLength: 0, maxLength: 60, size: 'max' });

const items = 'x.k, x.v, x.ts, y.k AS yk, y.v AS yv, y.s AS ys, y.d AS yd, y.ts AS yts';
const accepted = (name: string): string => `(SELECT * FROM raw_${name} WHERE "$wm" IS NULL OR ts >= "$wm")`;
/** Of rows at one time the last by all columns, in their order. */
const last = 'k DESC NULLS LAST, v DESC NULLS LAST, s DESC NULLS LAST, d DESC NULLS LAST';
const both = (conditions: readonly string[]): string =>
  conditions.filter((condition) => condition !== '').join(' AND ');
const kind = fc.constantFrom('', 'LEFT ');
const equality = fc.constantFrom('x.k = y.k', 'x.k = y.k AND x.s = y.s', 'x.k + 1 = y.k');
const lateRows = (name: string): string => `SELECT "$p", "$o" FROM raw_${name} WHERE ts < "$wm"`;

const temporal = fc
  .record({
    kind,
    right: fc.constantFrom('a', 'b', 'b'),
    equality: fc.oneof(equality, fc.constant('x.k IS NOT DISTINCT FROM y.k')),
    residual: fc.constantFrom('', '', 'y.v > 0', 'x.v < y.v', 'x.v > 0'),
    where: fc.constantFrom('', '', " WHERE x.s = 'a'"),
    close: fc.boolean(),
  })
  .map((draw): LawRun['query'] => {
    const { right, equality: on, residual, where, close } = draw;
    const pick = `SELECT y.* FROM ${accepted(right)} y WHERE ${on} AND y.ts <= x.ts ORDER BY y.ts DESC, ${last} LIMIT 1`;
    const late = where === '' ? [lateRows('a'), ...(right === 'a' ? [] : [lateRows('b')])] : undefined;
    return {
      sql: `SELECT ${items} FROM a x ${draw.kind}JOIN ${right} FOR SYSTEM_TIME AS OF x.ts AS y ON ${both([on, residual])}${where}${close ? ' EMIT ON WINDOW CLOSE' : ''}`,
      oracle: `SELECT ${items} FROM ${accepted('a')} x ${draw.kind}JOIN LATERAL (${residual === '' ? pick : `SELECT y.* FROM (${pick}) y WHERE ${residual}`}) y ON true${where === '' ? ' WHERE true' : where}${close ? ' AND x.ts < {{w}}' : ''}`,
      refused: late?.join(' UNION ALL '),
    };
  });

const asof = fc
  .record({
    kind,
    right: fc.constantFrom('a', 'b'),
    equality: fc.oneof(equality, fc.constant('')),
    operator: fc.constantFrom('>=', '>', '<=', '<'),
    shift: fc.constantFrom('', " - INTERVAL '2 seconds'"),
    own: fc.constantFrom('', '', 'x.v > 0', 'y.v > 0'),
    close: fc.boolean(),
  })
  .map((draw): LawRun['query'] => {
    const { right, equality: on, operator, own } = draw;
    const close = draw.close && operator.startsWith('>') && draw.shift === '';
    const inequality = `x.ts ${operator} y.ts${draw.shift}`;
    const rows = (name: string): string => (close ? accepted(name) : `raw_${name}`);
    const order = `y.ts ${operator.startsWith('>') ? 'DESC' : 'ASC'}, ${last}`;
    const pick = `SELECT y.* FROM ${rows(right)} y WHERE ${both([on, inequality, own])} ORDER BY ${order} LIMIT 1`;
    return {
      sql: `SELECT ${items} FROM a x ASOF ${draw.kind}JOIN ${right} y ON ${both([on, inequality, own])}${close ? ' EMIT ON WINDOW CLOSE' : ''}`,
      oracle: `SELECT ${items} FROM ${rows('a')} x ${draw.kind}JOIN LATERAL (${pick}) y ON true${close ? ' WHERE x.ts < {{w}}' : ''}`,
      refused: undefined,
    };
  });

/** A window over what a temporal join gives: its time attribute holds what it promises. */
const windowed = fc.constantFrom<LawRun['query']>({
  sql: `SELECT window_end, sum(rate) AS n, count(*) AS c FROM TUMBLE((SELECT x.ts, y.v AS rate FROM a x LEFT JOIN b FOR SYSTEM_TIME AS OF x.ts AS y ON x.k = y.k), ts, INTERVAL '5 seconds')
    GROUP BY window_start, window_end EMIT ON WINDOW CLOSE`,
  oracle: `SELECT make_timestamp((floor(epoch(x.ts) / 5)::BIGINT * 5 + 5) * 1000000) AS e, sum(y.v), count(*)
    FROM ${accepted('a')} x LEFT JOIN LATERAL (SELECT y.* FROM ${accepted('b')} y WHERE x.k = y.k AND y.ts <= x.ts ORDER BY y.ts DESC, ${last} LIMIT 1) y ON true
    GROUP BY 1 HAVING e <= {{w}}`,
  refused: undefined,
});

const query = fc.oneof(
  { weight: 5, arbitrary: temporal },
  { weight: 4, arbitrary: asof },
  { weight: 1, arbitrary: windowed },
);

describe('joins that pick a row by time', () => {
  it(`equal plain DuckDB after every epoch, however it is cut (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(query, records, records, fc.integer({ min: 0, max: 6 }), async (of, a, b, delay) => {
        const differences = await feedAndCheck({ query: of, a, b, delay });
        expect(differences, `${of.sql}\n${differences.join('\n')}`).toEqual([]);
      }),
      { numRuns: RUNS, seed: SEED },
    );
  }, 600_000);

  it.each(['', ' EMIT ON WINDOW CLOSE'])('keep no more than the watermarks leave open%s', async (emit) => {
    const rows = 30_000;
    const columns = (step: number): string =>
      `n AS n, k AS n % 20, ts AS epoch_ms(n * ${step}), WATERMARK FOR ts AS ts - INTERVAL '1 second'`;
    const engine = await open({ maxBatchRows: 800 });
    const counts: Promise<readonly number[]>[] = [];
    try {
      await engine.sql(`CREATE SOURCE o (${columns(100)}) WITH (connector = 'generator', rows = ${rows});
        CREATE SOURCE r (${columns(200)}) WITH (connector = 'generator', rows = ${rows / 2});
        CREATE MATERIALIZED VIEW answer AS SELECT o.n, r.n AS version FROM o LEFT JOIN r FOR SYSTEM_TIME AS OF o.ts AS r ON o.k = r.k${emit};`);
      const count = async (): Promise<readonly number[]> => {
        const sides = ['l', 'r'].map(
          (side) => `(SELECT CAST(count(*) AS INTEGER) FROM memory.state."temporal-join1$${side}")`,
        );
        const { rows: answer } = await engine.query(`SELECT ${sides.join(', ')}`);
        return (answer[0] ?? []).map(Number);
      };
      await engine.run({
        onEvent: (event) => {
          // Not near the end: a query that is under way keeps the run from closing its database.
          if (event.event === 'epoch' && counts.length < 25) counts.push(count());
        },
      });
      const all = await Promise.all(counts);
      expect(all.length).toBe(25);
      expect(Math.max(...all.map(([left]) => left ?? 0))).toBeLessThan(5_000);
      expect(Math.max(...all.map(([, right]) => right ?? 0))).toBeLessThan(5_000);
      // The last version of each key, for whatever comes.
      expect(await count()).toEqual([0, 20]);
      const { rows: wrong } = await engine.query(`SELECT count(*) FROM (FROM answer EXCEPT ALL
        SELECT n, CASE WHEN n % 20 <= n // 2 THEN (n // 2 - n % 20) // 20 * 20 + n % 20 END FROM range(${rows}) l(n))`);
      expect(Number(wrong[0]?.[0])).toBe(0);
    } finally {
      await engine.close();
    }
  });
});
