import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { raw, sql } from '../src/base/sql.ts';
import { open, StreamsqlError, type Engine } from '../src/engine.ts';
import { Duck } from '../src/exec/duck.ts';

const TABLES = `
  CREATE TABLE k (a INTEGER PRIMARY KEY, b VARCHAR, x DOUBLE DEFAULT 0.5 CHECK (x < 50));
  CREATE TABLE r (a INTEGER, b VARCHAR, x DOUBLE);
  CREATE TABLE u (a INTEGER UNIQUE, b VARCHAR);`;
const VIEWS: Readonly<Record<string, string>> = {
  vk: `SELECT b, x * 2 AS y FROM k WHERE a <> 3`,
  vr: `SELECT upper(b) AS b, x FROM r`,
  vu: `SELECT a % 2 AS odd, b FROM u WHERE b IS NOT NULL`,
  counted: `SELECT b, count(*) AS n, count(x) AS xs, min(a) AS least FROM r GROUP BY b`,
  joined: `SELECT k.a, r.b, r.x FROM k JOIN r ON k.a = r.a`,
  outer_joined: `SELECT k.a, u.b FROM k LEFT JOIN u ON k.a = u.a`,
};

/** An engine whose run goes on, and a way to end it. */
async function running(declarations: string): Promise<{ engine: Engine; end: () => Promise<void> }> {
  const engine = await open({ threads: 2 });
  await engine.sql(declarations);
  const abort = new AbortController();
  const run = engine.run({ signal: abort.signal, keepOpen: true });
  const end = async (): Promise<void> => {
    abort.abort();
    await run;
    await engine.close();
  };
  return { engine, end };
}

const number = fc.constantFrom('0', '1', '2', '3', '4');
const maybe = fc.constantFrom('NULL', '0', '1', '2', '3');
const text = fc.constantFrom('NULL', "'p'", "'q'");
const double = fc.constantFrom('NULL', '0.0', '-0.0::DOUBLE', "'nan'", '1.5', '60');
/** To some of DuckDB's updates -0.0 is 0.0 already, and stays. */
const nonzero = fc.constantFrom('NULL', "'nan'", '1.5', '2.5', '60');
const condition = fc.oneof(
  fc.tuple(fc.constantFrom('=', '<', '<>'), number).map(([op, n]) => `a ${op} ${n}`),
  text.map((value) => `b IS NOT DISTINCT FROM ${value}`),
  fc.constant('true'),
);
const statement = fc.oneof(
  fc.tuple(number, text, double).map(([a, b, x]) => `INSERT INTO k VALUES (${a}, ${b}, ${x})`),
  fc.tuple(number, text).map(([a, b]) => `INSERT INTO k (b, a) VALUES (${b}, ${a}) ON CONFLICT DO NOTHING`),
  fc
    .tuple(number, number, text, nonzero)
    .map(([a, c, b, x]) => `INSERT OR REPLACE INTO k VALUES (${a}, ${b}, ${x}), (${c}0, ${b}, 1)`),
  fc
    .tuple(number, text)
    .map(
      ([a, b]) => `INSERT INTO k AS t VALUES (${a}, ${b}) ON CONFLICT (a) DO UPDATE SET b = concat(t.b, excluded.b)`,
    ),
  fc.tuple(nonzero, condition).map(([x, where]) => `UPDATE k SET x = ${x} WHERE ${where}`),
  condition.map((where) => `UPDATE k SET a = a + 100 WHERE ${where}`),
  condition.map((where) => `DELETE FROM k WHERE ${where}`),
  fc.tuple(maybe, text, double).map(([a, b, x]) => `INSERT INTO r VALUES (${a}, ${b}, ${x}), (${a}, ${b}, ${x})`),
  fc.constant(`INSERT INTO r SELECT a, b, x FROM k`),
  fc.tuple(text, condition).map(([b, where]) => `UPDATE r SET b = ${b} WHERE ${where}`),
  fc.tuple(nonzero, condition).map(([x, where]) => `UPDATE r SET x = ${x} WHERE ${where}`),
  condition.map((where) => `DELETE FROM r WHERE ${where}`),
  fc.constant(`DELETE FROM r USING k WHERE k.a = r.a`),
  fc.tuple(maybe, text).map(([a, b]) => `INSERT INTO u VALUES (${a}, ${b}) ON CONFLICT DO NOTHING`),
  fc.tuple(maybe, text).map(([a, b]) => `INSERT OR REPLACE INTO u VALUES (${a}, ${b})`),
  condition.map((where) => `DELETE FROM u WHERE ${where}`),
);
const script = fc.array(statement, { minLength: 1, maxLength: 3 }).map((statements) => statements.join(';\n'));
/** What stands between epochs is sent at once. */
const history = fc.array(fc.array(script, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 });

describe('law 1: after every epoch tables and views hold what DuckDB says', () => {
  it('whatever is inserted, updated and deleted', { timeout: 300_000 }, async () => {
    const duck = await Duck.open(':memory:', { threads: '1' });
    const oracle = await duck.connect();
    let failed = 0;
    let passed = 0;
    await fc.assert(
      fc.asyncProperty(history, async (epochs) => {
        await oracle.run(sql`DROP TABLE IF EXISTS k; DROP TABLE IF EXISTS r; DROP TABLE IF EXISTS u`);
        await oracle.run(raw(TABLES));
        const views = Object.entries(VIEWS).map(([name, query]) => `CREATE MATERIALIZED VIEW ${name} AS ${query};`);
        const { engine, end } = await running(TABLES + views.join('\n'));
        try {
          for (const scripts of epochs) {
            const outcomes = await Promise.allSettled(scripts.map((each) => engine.sql(each)));
            for (const [i, each] of scripts.entries()) {
              await oracle.run(sql`BEGIN`);
              const fine = await oracle.run(raw(each)).then(
                () => true,
                () => false,
              );
              await oracle.run(fine ? sql`COMMIT` : sql`ROLLBACK`);
              expect(outcomes[i]?.status, each).toBe(fine ? 'fulfilled' : 'rejected');
              if (fine) passed++;
              else failed++;
            }
            for (const [name, query] of [
              ...['k', 'r', 'u'].map((table) => [table, `FROM ${table}`] as const),
              ...Object.entries(VIEWS),
            ]) {
              const printed = (from: string) => `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${from}) ORDER BY ALL`;
              const found = await engine.query(printed(`FROM ${name}`));
              expect(found.rows, name).toEqual((await oracle.table(raw(printed(query)))).rows);
            }
          }
        } finally {
          await end();
        }
      }),
      { numRuns: 40, seed: 11 },
    );
    duck.close();
    expect(passed).toBeGreaterThan(100);
    expect(failed).toBeGreaterThan(10);
  });
});

describe('changes while the engine runs', () => {
  it('are rejected with their own error, and the next ones are taken', async () => {
    const { engine, end } = await running(`CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);`);
    const error = await engine.sql('INSERT INTO t VALUES (2); INSERT INTO t VALUES (1)').catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'CONSTRAINT', span: { start: 26, end: 50 } });
    await engine.sql('INSERT INTO t VALUES (3)');
    expect((await engine.query('FROM t ORDER BY a')).rows).toEqual([[1], [3]]);
    await end();
  });

  it('are part of the next epoch though no source has anything', async () => {
    const engine = await open({ threads: 2, batchIntervalMs: 1 });
    await engine.sql(`
      CREATE SOURCE s (i AS n) WITH (connector = 'generator', rate = 1);
      CREATE TABLE t (a INTEGER);
      CREATE MATERIALIZED VIEW v AS SELECT a FROM t;
      CREATE MATERIALIZED VIEW w AS SELECT i FROM s;`);
    const abort = new AbortController();
    const run = engine.run({ signal: abort.signal });
    for (const a of [1, 2, 3]) {
      await engine.sql(`INSERT INTO t VALUES (${a})`);
      expect((await engine.query('SELECT max(a) FROM v')).rows).toEqual([[a]]);
    }
    abort.abort();
    await run;
    const late = await engine.sql('INSERT INTO t VALUES (4)').catch((e: unknown) => e);
    expect(late).toBeInstanceOf(StreamsqlError);
    expect(late).toMatchObject({ code: 'USAGE' });
    await engine.close();
  });

  it('must change tables, and nothing else', async () => {
    const { engine, end } = await running(`CREATE TABLE t (a INTEGER);`);
    await expect(engine.sql('CREATE TABLE u (a INTEGER)')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(engine.sql('INSERT INTO nowhere VALUES (1)')).rejects.toMatchObject({ code: 'CATALOG' });
    await end();
  });

  it('come by the chunk', async () => {
    const { engine, end } = await running(
      `CREATE TABLE t (a BIGINT, b VARCHAR[]); CREATE MATERIALIZED VIEW v AS SELECT a + 1 AS a, b FROM t;`,
    );
    await engine.sql(`INSERT INTO t SELECT i, ['x' || i] FROM range(300000) r(i)`);
    await engine.sql('DELETE FROM t WHERE a % 3 = 0');
    expect((await engine.query('SELECT count(*), sum(a), min(b[1]) FROM v')).rows).toEqual([
      ['200000', '30000200000', 'x1'],
    ]);
    await end();
  });
});

describe('a run over tables alone', () => {
  it('ends after its first epoch, and can be run again on the same database', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'streamsql-tables-'));
    const db = join(folder, 'out.duckdb');
    for (const a of [1, 2]) {
      const engine = await open({ db, threads: 2 });
      await engine.sql(
        `CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (${a}); CREATE MATERIALIZED VIEW v AS SELECT a FROM t;`,
      );
      const summary = await engine.run();
      expect(summary).toMatchObject({ interrupted: false, views: [{ name: 'v', rows: 1 }] });
      expect((await engine.query('SELECT t.a, v.a FROM t, v')).rows).toEqual([[a, a]]);
      await engine.close();
    }
    rmSync(folder, { recursive: true });
  });
});
