import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ResultTable } from '../src/base/run.ts';
import { RunningEngine, tablesOf } from '../src/server/client.ts';

const SCRIPT = resolve(import.meta.dirname, '../scripts/streamsql.ts');

/** `never` has brought nothing; the second stands at the last event time of the file for good. */
const LIVE = `CREATE SOURCE g (i AS n, k AS n % 3, ts AS TIMESTAMP '2026-01-01' + INTERVAL (n) MILLISECOND,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds') WITH (connector = 'generator', rate = 2000);
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS c, max(i) AS m FROM g;
CREATE MATERIALIZED VIEW by_k AS SELECT k, count(*) AS c FROM g GROUP BY k;
CREATE MATERIALIZED VIEW hours AS SELECT window_start, count(*) AS c FROM TUMBLE(g, ts, INTERVAL '1 hour') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
`;
/** Far longer than the test. */
const SLOW = 'SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3';

let folder: string;
let db: string;
let run: ChildProcess;
let engine: RunningEngine;

function start(...args: readonly string[]): ChildProcess {
  const plain = { ...process.env };
  for (const name of Object.keys(plain)) if (name.startsWith('npm_')) delete plain[name];
  return spawn(process.execPath, [SCRIPT, ...args], { cwd: folder, env: { ...plain, INIT_CWD: folder } });
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function finished(child: ChildProcess): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (bytes) => (stdout += String(bytes)));
  child.stderr?.on('data', (bytes) => (stderr += String(bytes)));
  return new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr })));
}

const command = (...args: readonly string[]): Promise<Outcome> => finished(start(...args));

/** Starts the run, and waits until it answers. */
async function live(): Promise<RunningEngine> {
  run = start('run', 'live.sql', '--quiet');
  run.stderr?.on('data', (bytes) => process.stderr.write(String(bytes)));
  for (;;) {
    const found = existsSync(`${db}.sock`) ? await RunningEngine.at(db) : undefined;
    if (found !== undefined && (await found.status()).rowsIn > 0) return found;
    if (run.exitCode !== null) throw new Error('the run has ended');
    await new Promise((done) => setTimeout(done, 20));
  }
}

const tables = (sql: string, signal?: AbortSignal): Promise<readonly ResultTable[]> =>
  tablesOf(engine.read(sql, { cwd: folder, ...(signal !== undefined && { signal }) }));

/** The epoch, when so many more are committed. */
async function epochs(more: number): Promise<number> {
  const from = (await engine.status()).epoch;
  for (;;) {
    const { epoch } = await engine.status();
    if (epoch >= from + more) return epoch;
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-ask-test-'));
  db = join(folder, 'live.duckdb');
  writeFileSync(join(folder, 'live.sql'), LIVE);
  engine = await live();
});
afterAll(() => {
  run.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

it('answers with one epoch, however many statements ask, while the stream goes on', async () => {
  expect(statSync(`${db}.sock`).mode & 0o777).toBe(0o600);
  const before = (await engine.status()).epoch;
  const asked = tables(`SELECT max(epoch) FROM _streamsql.epochs; FROM total;
    SELECT count(*) FROM range(60000000) WHERE (range * range) % 7 = 3;
    SELECT sum(c)::BIGINT FROM by_k; SELECT max(epoch) FROM _streamsql.epochs; SELECT sum(rows)::BIGINT FROM _streamsql.epochs`);
  const [first, total, , byK, last, rows] = (await asked).map((table) => table.rows[0]);
  const after = await epochs(1);
  expect(Number(first?.[0])).toBeGreaterThanOrEqual(before);
  expect(after).toBeGreaterThan(Number(first?.[0]));
  expect(last).toEqual(first);
  expect(byK?.[0]).toBe(total?.[0]);
  expect(Number(total?.[1])).toBe(Number(total?.[0]) - 1);
  expect(rows?.[0]).toBe(total?.[0]);
});

it('goes on with its stream under slow queries, and ends those whose client goes away', async () => {
  const gone = new AbortController();
  const slow = Array.from({ length: 5 }, () => tables(SLOW, gone.signal).catch(() => 'ended'));
  await epochs(5);
  gone.abort();
  expect(await Promise.all(slow)).toEqual(Array.from({ length: 5 }, () => 'ended'));
  // They have left their places to others.
  expect((await tables('SELECT 42'))[0]?.rows).toEqual([[42]]);
});

it('says from the command line what it says of a database at rest', async () => {
  const [ok, refused, missing, effect] = await Promise.all([
    command('query', 'live.duckdb', 'SELECT c = m + 1 AS whole FROM total; SELECT 1 AS a', '--format', 'csv'),
    command('query', 'live.state', 'FROM total; INSERT INTO total VALUES (1, 2)'),
    command('query', 'live.duckdb', 'SELECT mm FROM total'),
    command('query', 'live.duckdb', "FROM checkpoint('memory')"),
  ]);
  expect(ok).toMatchObject({ code: 0, stdout: 'whole\ntrue\n\na\n1\n' });
  // Two are let in at a time.
  expect(ok.stderr).toMatch(/^(?:waiting for .*\n)?$/);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain(
    'error[UNSUPPORTED]: a query may only read, and INSERT does more\n --> <query>:1:13',
  );
  expect(missing.stderr).toMatch(/error\[BIND\][^]*<query>:1:8\n[^]* {7}\^\^\n/);
  expect(effect.stderr).toContain('checkpoint() does more');
});

it.each([
  "COPY total TO 'out.csv'",
  "EXPLAIN ANALYZE COPY total TO 'out.csv'",
  'SET threads = 1',
  "ATTACH 'x.db'",
  'CREATE TEMP TABLE t AS SELECT 1',
  'DELETE FROM total',
  'EXPLAIN ANALYZE DELETE FROM total',
  'INSTALL json',
  'CALL force_checkpoint()',
  'COMMIT',
  'USE memory',
  "SELECT nextval('s')",
  "FROM query('FROM total')",
  'PRAGMA enable_profiling',
  'CHECKPOINT',
])('refuses %s', async (sql) => {
  await expect(tables(`SELECT 1; ${sql}`)).rejects.toMatchObject({ code: 'UNSUPPORTED', span: { start: expect.any(Number) } }); // prettier-ignore
  expect(existsSync(join(folder, 'out.csv'))).toBe(false);
});

it('answers what describes and explains', async () => {
  const all = await tables('SHOW TABLES; DESCRIBE total; SUMMARIZE by_k; EXPLAIN FROM total; PRAGMA table_info(total); WITH a AS (FROM by_k) FROM a; VALUES (1)'); // prettier-ignore
  expect(all.map(({ rows }) => rows.length)).toEqual([3, 2, 2, 1, 2, 3, 1]);
});

it('says how it stands, and why a window is open', async () => {
  const { code, stdout } = await command('status', 'live.duckdb');
  expect(code).toBe(0);
  expect(stdout).toMatch(/window of hours: 2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z closes when the watermark reaches 2026-01-01T01:00:00Z; it is at \S+Z, held back by g: its latest record is of \S+Z, less the delay of 2 s/); // prettier-ignore
  const json = JSON.parse((await command('status', 'live.state', '--json')).stdout) as Record<string, unknown>;
  expect(json).toMatchObject({
    running: true, phase: 'running', pid: run.pid,
    sources: [{ name: 'g', connector: 'generator', late: 0, held_by: 'g' }],
    views: [{ name: 'total', rows: 1, state_bytes: expect.any(Number) }, { name: 'by_k', rows: 3, state_rows: 3 }, { name: 'hours', rows: 0, window: { end: '2026-01-01T01:00:00Z' } }],
  }); // prettier-ignore
});

it('is asked again by the next run after a kill, and at rest in between', async () => {
  const killed = new Promise((done) => run.on('close', done));
  run.kill('SIGKILL');
  await killed;
  expect(existsSync(`${db}.sock`)).toBe(true);
  expect(await RunningEngine.at(db)).toBeUndefined();
  expect((await command('query', 'live.duckdb', 'SELECT c = m + 1 AS whole FROM total', '--format', 'csv')).stdout).toBe('whole\ntrue\n'); // prettier-ignore
  expect((await command('status', 'live.duckdb')).stdout).toContain('it did not end in good order');
  engine = await live();
  // What is asked when the run ends is asked of what it left.
  const asked = command('query', 'live.duckdb', `SELECT count(*) AS n FROM total; ${SLOW.replaceAll('00000', '')}`);
  const ended = new Promise((done) => run.on('close', done));
  run.kill('SIGTERM');
  expect((await asked).code).toBe(0);
  await ended;
  expect(existsSync(`${db}.sock`)).toBe(false);
});
