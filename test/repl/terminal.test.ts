import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CTRL_C, CTRL_D, noTerminal, Typist } from '../support/typist.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-terminal-'));
});
afterEach(() => Typist.leave());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SOURCE = `CREATE SOURCE g (i AS n, k AS n % 3, ts AS TIMESTAMP '2026-01-01' + to_seconds(n),
WATERMARK FOR ts AS ts - INTERVAL '1 second') WITH (connector = 'generator', rate = 50);`;

describe.skipIf(noTerminal !== undefined)(
  `at a terminal${noTerminal === undefined ? '' : ` (skipped: ${noTerminal})`}`,
  () => {
    it('one declares, watches, holds, steps and asks, and Ctrl-C ends what is shown and not the session', async () => {
      const typist = new Typist(['own.duckdb'], folder);
      await typist.sees(/streamsql> $/);
      for (const line of SOURCE.split('\n')) typist.line(line);
      await typist.sees(/source g\r?\n[\s\S]*streamsql> $/);
      await typist.asks('CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS n FROM g GROUP BY k;', /view v: it runs/);
      await typist.asks('CREATE MATERIALIZED VIEW w AS SELECT window_start, count(*) AS n FROM TUMBLE(g, ts, INTERVAL \'5 seconds\') GROUP BY window_start EMIT ON WINDOW CLOSE;', /view w: it runs/); // prettier-ignore
      await typist.asks('SELECT k FROM v ORDER BY k;', /\(3 rows\)/);
      expect(await typist.asks('SELECT k, nn FROM v;', /error\[BIND\][\s\S]*?\^\^[\s\S]*?hint/)).toContain(
        '<input>:1:11',
      );

      // A snapshot is of one epoch: both views have all of it or nothing.
      await typist.asks(
        `SELECT CASE WHEN (SELECT sum(n) FROM w) <= (SELECT sum(n) FROM v) THEN 'whole' ELSE 'torn' END AS are;`,
        /whole/,
      );

      typist.line('SELECT i, k FROM g;');
      await typist.sees(/\b40 \| +1/);
      typist.key(CTRL_C);
      await typist.sees(/streamsql> $/);

      typist.line('.watch v');
      await typist.sees(/\(3 rows\)[\s\S]*\(3 rows\)/);
      typist.key(CTRL_C);
      await typist.sees(/streamsql> $/);
      await typist.asks('.mode changelog', /mode changelog/);
      typist.line('.watch v');
      await typist.sees(/- +\| +\d \| +\d+[\s\S]*?\+ +\| +\d \| +\d+/);
      typist.key(CTRL_C);
      await typist.sees(/streamsql> $/);
      await typist.asks('.mode table', /mode table/);

      const step = await typist.asks('.step', /source g [\s\S]*rows?[\s\S]*groupBy-reduce by [\s\S]*all stands still/);
      expect(step).toMatch(/\$n|[1-9]\d* row/);
      await typist.asks('SHOW JOBS;', /v +\| materialized view \| paused +\|/);
      await typist.asks('RESUME;', /resumed: all/);
      await typist.asks('PAUSE v;', /paused: the source g; w too/);
      await typist.asks('RESUME g;', /resumed: the source g/);
      await typist.asks('SHOW JOBS;', /v +\| materialized view \| running +\|/);

      // A slow query is ended, and so is a statement that is half typed.
      typist.line('SELECT count(*) FROM range(100000000000), range(1000);');
      await typist.sees(/range\(1000\);/);
      setTimeout(() => typist.key(CTRL_C), 500);
      await typist.sees(/interrupted[\s\S]*streamsql> $/);
      typist.line('SELECT 1 +');
      await typist.sees(/\| $/);
      typist.key(CTRL_C);
      await typist.sees(/\^C[\s\S]*streamsql> $/);

      typist.key('SELECT n FROM v WHERE k = 0 AND n > 0 LIMI');
      await typist.sees(/LIMI$/);
      typist.key('\t');
      await typist.sees(/T/);
      typist.line(' 1;');
      await typist.sees(/ 1;[\s\S]*\(1 row\)[\s\S]*streamsql> $/);
      typist.line('.tabels');
      await typist.sees(/did you mean \.tables\?[\s\S]*streamsql> $/);
      typist.key(CTRL_D);
      expect(await typist.ended()).toBe(0);
    }, 120_000);

    it('another day it goes on where it was, and knows what was typed', async () => {
      expect(readFileSync(join(folder, 'own.session.sql'), 'utf8')).toContain('CREATE MATERIALIZED VIEW w');
      const typist = new Typist(['own.duckdb'], folder);
      await typist.sees(/streamsql> $/);
      await typist.asks('SELECT CASE WHEN sum(n) > 40 AND (SELECT max(epoch) - min(epoch) + 1 = count(*) FROM _streamsql.epochs) THEN \'goes on\' END AS it FROM v;', /goes on/); // prettier-ignore
      typist.key('\x1b[A');
      await typist.sees(/goes on/);
      typist.key(CTRL_C);
      await typist.asks('DROP VIEW w;', /dropped w/);
      await typist.asks('.tables', /v +\| materialized view/);
      await typist.asks('\\d v', /k +\| BIGINT/);
      await typist.asks('\\x', /mode: line/);
      await typist.asks('SELECT 7 AS seven;', /seven = 7/);
      typist.line('\\q');
      expect(await typist.ended()).toBe(0);
    }, 120_000);

    it('a session in memory leaves nothing behind', async () => {
      const temp = mkdtempSync(join(folder, 'temp-'));
      const typist = new Typist([], folder, { TMPDIR: temp });
      await typist.sees(/streamsql> $/);
      await typist.asks('CREATE TABLE t (a INTEGER);', /table t/);
      await typist.asks('INSERT INTO t VALUES (1), (2);', /INSERT done/);
      await typist.asks('SELECT sum(a) AS three FROM t;', /\b3\b/);
      typist.key(CTRL_D);
      expect(await typist.ended()).toBe(0);
      expect(readdirSync(temp)).toEqual([]);
    }, 60_000);
  },
);
