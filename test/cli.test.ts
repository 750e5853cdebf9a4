import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Duck } from '../src/exec/duck.ts';
import { sql } from '../src/base/sql.ts';

const SCRIPT = resolve(import.meta.dirname, '../scripts/streamsql.ts');

const BOUNDED = `CREATE SOURCE g (i AS n, k AS n % 3) WITH (connector = 'generator', rows = 1000);
CREATE MATERIALIZED VIEW by_k AS SELECT k, count(*) AS c, sum(i) AS s FROM g GROUP BY k;
SELECT * FROM by_k ORDER BY k;
`;
const LIVE = `CREATE SOURCE g (i AS n) WITH (connector = 'generator', rate = 1000);
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS c, max(i) AS m FROM g;
SELECT c = m + 1 AS whole FROM total;
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const plain = { ...process.env };
  for (const name of Object.keys(plain)) if (name.startsWith('npm_')) delete plain[name];
  return spawn(process.execPath, [SCRIPT, ...args], { cwd: folder, env: { ...plain, INIT_CWD: folder, ...env } });
}

function finished(child: ChildProcess, input?: string): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (bytes) => (stdout += String(bytes)));
  child.stderr?.on('data', (bytes) => (stderr += String(bytes)));
  child.stdin?.end(input ?? '');
  return new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr })));
}

const run = (...args: readonly string[]): Promise<Outcome> => finished(start(args));
const file = (name: string, text: string): string => (writeFileSync(join(folder, name), text), name);

/** Resolves when a line of the child's JSON output is of a kind, and passes. */
function line(child: ChildProcess, passes: (event: Record<string, unknown>) => boolean): Promise<void> {
  let rest = '';
  return new Promise((done) =>
    child.stdout?.on('data', (bytes) => {
      const lines = (rest + String(bytes)).split('\n');
      rest = lines.pop() ?? '';
      if (lines.some((text) => passes(JSON.parse(text) as Record<string, unknown>))) done();
    }),
  );
}

describe('streamsql run', () => {
  it('runs a bounded file to its end: tables on standard output, the summary on standard error', async () => {
    const { code, stdout, stderr } = await run('run', file('count.sql', BOUNDED));
    expect(code).toBe(0);
    expect(stdout).toContain(' 0 | 334 | 166833');
    expect(stderr).toMatch(/done: 1,000 rows/);
    expect(stderr).toContain('count.duckdb');
    expect(stderr).not.toContain('\u001b');
    const db = await Duck.open(join(folder, 'count.duckdb'), { access_mode: 'READ_ONLY' });
    expect(await (await db.connect()).rows(sql`SELECT count(*) AS n FROM by_k`)).toEqual([{ n: 3n }]);
    db.close();
  });

  it('may simply be run again when it finished', async () => {
    const name = file('count.sql', BOUNDED);
    expect((await run('run', name, '--quiet')).code).toBe(0);
    const again = await run('run', name, '--quiet');
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toContain('166833');
  });

  it('speaks JSON, the last line being the documented one', async () => {
    const { code, stdout, stderr } = await run('run', file('count.sql', BOUNDED), '--json');
    const events = stdout.trimEnd().split('\n').map((text) => JSON.parse(text) as Record<string, unknown>); // prettier-ignore
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(events[0]).toMatchObject({ event: 'start', bounded: true, views: ['by_k'] });
    const last = events.at(-1) ?? {};
    expect(Object.keys(last)).toEqual([
      'event',
      'seconds',
      'rows_in',
      'rows_per_second',
      'late',
      'dead_letters',
      'views',
    ]);
    expect(last).toMatchObject({ event: 'done', rows_in: 1000, late: 0, dead_letters: 0, views: { by_k: 3 } });
    const result = events.find((event) => event['event'] === 'result') as { rows: number[][] } | undefined;
    expect(result?.rows.map(([k, c]) => [k, c])).toEqual([
      [0, 334],
      [1, 333],
      [2, 333],
    ]);
  });

  it('reads standard input, keeping neither database nor state', async () => {
    const { code, stdout } = await finished(start(['run', '-', '--quiet']), BOUNDED);
    expect(code).toBe(0);
    expect(stdout).toContain('166833');
    expect(existsSync(join(folder, '-.duckdb'))).toBe(false);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('stops in good order at %s, and goes on where it stopped', async (signal) => {
    const name = file('live.sql', LIVE);
    const child = start(['run', name, '--json']);
    const outcome = finished(child);
    await line(child, (event) => event['event'] === 'epoch' && Number(event['rows_in']) > 0);
    child.kill(signal);
    const { code, stdout } = await outcome;
    expect(code).toBe(0);
    const events = stdout.trimEnd().split('\n').map((text) => JSON.parse(text) as Record<string, unknown>); // prettier-ignore
    expect(events.at(-1)).toMatchObject({ event: 'done' });
    expect(events.find((event) => event['event'] === 'result')).toMatchObject({ rows: [[true]] });
    const again = await run('run', name, '--json', '--stop-after-epochs', '2');
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('"event":"resumed"');
    const bounded = file('live.sql', LIVE.replace('rate = 1000', 'rows = 10'));
    expect((await run('run', bounded, '--fresh', '--quiet')).code).toBe(0);
  });

  it('names the process that holds the database', async () => {
    const child = start(['run', file('live.sql', LIVE), '--json']);
    const outcome = finished(child);
    await line(child, (event) => event['event'] === 'epoch');
    const second = await run('run', 'live.sql');
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(String(child.pid));
    child.kill('SIGINT');
    expect((await outcome).code).toBe(0);
  });

  it('points at what is wrong, and touches nothing then', async () => {
    const { code, stderr } = await run(
      'run',
      file('bad.sql', "CREATE SOURCE g (i AS n) WITH (connector = 'generator', rwos = 5);\n"),
    );
    expect(code).toBe(1);
    expect(stderr).toContain('bad.sql:1:57');
    expect(stderr).toMatch(/\^{4}\n {2}hint: did you mean rows\?/);
    expect(existsSync(join(folder, 'bad.duckdb'))).toBe(false);
    expect(existsSync(join(folder, 'bad.state'))).toBe(false);
  });

  it('leaves the results of an earlier run alone when its input is not there', async () => {
    writeFileSync(join(folder, 'in.json'), '{"a":1}\n');
    const name = file(
      'f.sql',
      "CREATE SOURCE f (a BIGINT) WITH (connector = 'file', path = 'in.json'); CREATE MATERIALIZED VIEW v AS SELECT a FROM f;",
    );
    expect((await run('run', name)).code).toBe(0);
    rmSync(join(folder, 'in.json'));
    expect((await run('run', name)).code).toBe(1);
    expect((await run('query', 'f.duckdb', 'SELECT a FROM v', '--format', 'csv')).stdout).toBe('a\n1\n');
  });

  it('never overwrites what it did not make', async () => {
    const db = await Duck.open(join(folder, 'count.duckdb'));
    const connection = await db.connect();
    await connection.run(sql`CREATE TABLE by_k AS SELECT 1 AS mine`);
    connection.close();
    db.close();
    const { code, stderr } = await run('run', file('count.sql', BOUNDED), '--fresh');
    expect(code).toBe(1);
    expect(stderr).toContain('by_k');
    expect((await run('query', 'count.duckdb', 'FROM by_k', '--format', 'csv')).stdout).toBe('mine\n1\n');
  });

  it('takes variables, and never prints those of the environment', async () => {
    const name = file(
      'v.sql',
      "CREATE SOURCE g (i AS n) WITH (connector = 'generator', rows = '${ROWS}');\nCREATE MATERIALIZED VIEW v AS SELECT count(*) AS c FROM g;\nSELECT * FROM v;\n",
    );
    expect((await run('run', name, '--quiet', '-v', 'ROWS=7')).stdout).toContain('7');
    const secret = await finished(start(['run', name], { ROWS: 'hunter2' }));
    expect(secret.code).toBe(1);
    expect(secret.stderr).toContain('${ROWS}');
    expect(secret.stderr + secret.stdout).not.toContain('hunter2');
  });
});

describe('the other commands', () => {
  it.each([
    [['rnu', 'x.sql'], 2, /run/],
    [['run'], 2, /FILE/],
    [['run', 'x.sql', '--batch-interval', '0'], 2, /batch-interval/],
    [['run', 'nothing.sql'], 1, /nothing\.sql/],
    [['query', 'nothing.duckdb', 'SELECT 1'], 1, /nothing\.duckdb/],
  ] as const)('%j ends with %i', async (args, code, says) => {
    const outcome = await run(...args);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toMatch(says);
    expect(existsSync(join(folder, 'nothing.duckdb'))).toBe(false);
  });

  it('query prints each format', async () => {
    await run('run', file('count.sql', BOUNDED), '--quiet');
    const ask = async (format: string): Promise<string> =>
      (await run('query', 'count.duckdb', 'SELECT k, c FROM by_k ORDER BY k LIMIT 1', '--format', format)).stdout;
    expect(await ask('csv')).toBe('k,c\n0,334\n');
    expect(JSON.parse(await ask('json'))).toEqual([{ k: 0, c: 334 }]);
    expect(await ask('markdown')).toContain('| 0 | 334 |');
    expect(await ask('line')).toMatch(/k = 0\s+c = 334/);
  });

  it('explain shows operators, law, state and SQL; validate touches nothing', async () => {
    const name = file('count.sql', BOUNDED);
    const explained = await run('explain', name);
    expect(explained.code).toBe(0);
    expect(explained.stdout).toMatch(/groupBy-reduce[\s\S]*law[\s\S]*UNBOUNDED[\s\S]*MERGE INTO/);
    expect((await run('explain', name, '--analyze')).stdout).toMatch(/\d+ statements, [\d.]+ ms/);
    expect((await run('validate', name)).code).toBe(0);
    expect(existsSync(join(folder, 'count.duckdb'))).toBe(false);
  });

  it('test runs test files, and shows the difference', async () => {
    const text = readFileSync(resolve(import.meta.dirname, 'fixtures/tumble.test.sql'), 'utf8');
    expect((await run('test', file('good.test.sql', text))).code).toBe(0);
  });
});
