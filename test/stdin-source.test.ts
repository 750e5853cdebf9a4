import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stdinFrom } from '../src/connectors/stdin/connector.ts';
import { open, type OpenOptions } from '../src/engine.ts';
import { LiveRun } from './support/live-run.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'streamsql-stdin-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function start(stream: PassThrough, sql: string, options: OpenOptions = {}): Promise<LiveRun> {
  const stdin = stdinFrom(() => stream);
  const source = (name: string, builtIn: typeof stdin | undefined): typeof stdin | undefined =>
    name === 'stdin' ? stdin : builtIn;
  return new LiveRun(await open({ cwd: folder, ...options }, { source }), sql);
}

const dead = (run: LiveRun): Promise<readonly (readonly unknown[])[]> =>
  run.rows('SELECT "offset", payload, reason FROM _streamsql.dead_letters ORDER BY 1');

describe('standard input', () => {
  test('is read to its end, where windows close; the last line needs no line feed', async () => {
    const stream = new PassThrough();
    const run = await start(
      stream,
      `CREATE SOURCE s (id INTEGER, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (connector = 'stdin', max_record = '100');
       CREATE MATERIALIZED VIEW v AS SELECT window_start, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '1 minute') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;`,
    );
    stream.write('\ufeff{"id": 1, "ts": "2026-01-01 00:00:00"}\r\n\n{"id": 2, "ts": "2026-01-01');
    stream.write(` 00:00:30"}\n{"id": "${'x'.repeat(200)}"}\nno JSON\n\0{}\n`);
    stream.end('{"id": 3, "ts": "2026-01-01 00:01:00"}');
    const summary = await run.ended;
    expect(summary).toMatchObject({ rowsIn: 6, deadLetters: 3, interrupted: false });
    expect(await run.rows('SELECT n FROM v ORDER BY window_start')).toEqual([['2'], ['1']]);
    const letters = await dead(run);
    expect(letters.map(([offset]) => offset)).toEqual(['2', '3', '4']);
    expect(letters.map(([, , reason]) => reason)).toMatchObject([
      /longer than 100 bytes/, /malformed JSON/, /NUL byte/,
    ].map((pattern) => expect.stringMatching(pattern) as unknown)); // prettier-ignore
    await run.close();
  });

  test('as CSV has a header, and records of several lines; what comes after a stop goes on under the same header', async () => {
    const sql = `CREATE SOURCE s (name VARCHAR, n INTEGER) WITH (connector = 'stdin', format = 'csv');
      CREATE MATERIALIZED VIEW v AS SELECT name, n FROM s;`;
    const kept = { db: join(folder, 'r.duckdb'), state: join(folder, 'state') };
    const first = new PassThrough();
    const run = await start(first, sql, kept);
    first.write('n,other,name\n1,x,"two\nlines"\n2,y,"a ""quote"""\n3,z,cut');
    await run.read('s', 2);
    await run.stop();
    expect(await run.rows('FROM v ORDER BY n')).toEqual([['two\nlines', 1], ['a "quote"', 2]]); // prettier-ignore
    await run.close();

    const second = new PassThrough();
    const next = await start(second, sql, kept);
    second.end('n,other,name\n4,,four\n5,,"never closed\n');
    expect(await next.ended).toMatchObject({ interrupted: false });
    expect(await next.rows('SELECT n FROM v ORDER BY n')).toEqual([[1], [2], [4]]);
    expect(await dead(next)).toEqual([
      ['2', '3,z,cut', 'the run ended within this record'],
      ['4', '5,,"never closed\n', 'a quote is not closed'],
    ]);
    await next.close();
  });

  test('that begins with another header than before, or has not the columns, is an error', async () => {
    const stream = new PassThrough();
    const run = await start(
      stream,
      `CREATE SOURCE s (name VARCHAR) WITH (connector = 'stdin', format = 'csv'); CREATE MATERIALIZED VIEW v AS SELECT * FROM s;`,
    );
    stream.write('id,title\n1,a\n');
    await expect(run.ended).rejects.toMatchObject({ code: 'SOURCE', message: /no column name: id, title/ });
    await run.close();
  });

  test('waits while too much is pending, and then comes all the same', async () => {
    const stream = new PassThrough({ highWaterMark: 1024 });
    let pauses = 0;
    stream.on('pause', () => pauses++);
    const run = await start(
      stream,
      `CREATE SOURCE s (line VARCHAR) WITH (connector = 'stdin', format = 'raw', max_pending = '2 kB');
       CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(line::BIGINT) AS s FROM s;`,
      { maxBatchRows: 500, batchIntervalMs: 1 },
    );
    const lines = Array.from({ length: 5000 }, (_, i) => `${i}\n`).join('');
    stream.end(lines);
    expect(await run.ended).toMatchObject({ rowsIn: 5000 });
    expect(await run.rows('FROM v')).toEqual([['5000', String((4999 * 5000) / 2)]]);
    expect(pauses).toBeGreaterThan(0);
    await run.close();
  });

  test('is one: a second source over it is refused', async () => {
    const run = await start(
      new PassThrough(),
      `CREATE SOURCE a (line VARCHAR) WITH (connector = 'stdin', format = 'raw'); CREATE SOURCE b (line VARCHAR) WITH (connector = 'stdin', format = 'raw');
       CREATE MATERIALIZED VIEW v AS SELECT * FROM a UNION ALL SELECT * FROM b;`,
    );
    await expect(run.ended).rejects.toMatchObject({ code: 'OPTION', message: /another source already/ });
    await run.close();
  });
});

test('from the command line: a pipe into run -c; SQL on standard input leaves nothing to read', async () => {
  const script = resolve(import.meta.dirname, '../scripts/streamsql.ts');
  const piped = (
    args: readonly string[],
    input: string,
  ): Promise<{ code: number | null; out: string; err: string }> => {
    const child = spawn(process.execPath, [script, 'run', '--quiet', ...args], { cwd: folder, env: { PATH: process.env['PATH'] } }); // prettier-ignore
    let [out, err] = ['', ''];
    child.stdout.on('data', (bytes) => (out += String(bytes)));
    child.stderr.on('data', (bytes) => (err += String(bytes)));
    child.stdin.end(input);
    return new Promise((done) => child.on('close', (code) => done({ code, out, err })));
  };
  const sql = `CREATE SOURCE l (line VARCHAR) WITH (connector = 'stdin', format = 'raw'); SELECT upper(line) AS loud FROM l`;
  const [good, bad, both] = await Promise.all([piped(['-c', sql], 'one\ntwo'), piped(['-'], sql), piped(['x.sql', '-c', sql], '')]); // prettier-ignore
  expect(good).toMatchObject({ code: 0, err: '' });
  expect(good.out).toMatch(/ONE\s+TWO/);
  expect(bad).toMatchObject({ code: 1, err: expect.stringContaining('run -c') as string });
  expect(both.code).toBe(2);
});
