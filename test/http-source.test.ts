import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { open, type EngineHost, type OpenOptions, type RunSummary } from '../src/engine.ts';
import { realDisk, type Disk } from '../src/exec/checkpoint/disk.ts';
import { LiveRun } from './support/live-run.ts';

const SQL = `
CREATE SOURCE clicks (id BIGINT, page VARCHAR) WITH (connector = 'http', listen = '127.0.0.1:0');
CREATE SOURCE "Other things" (n INTEGER) WITH (connector = 'http', listen = '127.0.0.1:0', token = 'sesame', max_body = '200', max_pending = '1');
CREATE MATERIALIZED VIEW pages AS SELECT page, count(*) AS n, sum(id) AS s FROM clicks GROUP BY page;
CREATE MATERIALIZED VIEW others AS SELECT n FROM "Other things";`;

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'streamsql-http-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A run of SQL, and how to post to its sources. */
class Posted extends LiveRun {
  url(source: string): string {
    return this.noticeOf(source).replace('waiting for POST ', '');
  }

  async post(source: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.urls.get(source) ?? '', { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers }); // prettier-ignore
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
  }

  readonly urls = new Map<string, string>();
}

async function start(options: OpenOptions = {}, sql = SQL, host: EngineHost = {}): Promise<Posted> {
  const run = new Posted(await open({ cwd: folder, ...options }, host), sql);
  await run.begun();
  for (const source of ['clicks', 'Other things']) run.urls.set(source, run.url(source));
  return run;
}

const kept = (): OpenOptions => ({ db: join(folder, 'r.duckdb'), state: join(folder, 'state') });

describe('what is posted', () => {
  test('is taken as JSON lines, as an array with all digits, in several lines, compressed', async () => {
    const run = await start();
    const other = { authorization: 'Bearer sesame' };
    expect(run.urls.get('Other things')?.replace('Other%20things', 'clicks')).toBe(run.urls.get('clicks'));
    expect(await run.post('clicks', '{"id": 1, "page": "a"}\n\n{"id": 2, "page": "a"}')).toMatchObject({ status: 200, body: { rows: 2 } }); // prettier-ignore
    expect(await run.post('clicks', '[{"id": 9007199254740993, "page": "b,]\\""},\n {"page":\n "a", "id": 3}]', { 'content-type': 'application/json' })).toMatchObject({ status: 200, body: { rows: 2 } }); // prettier-ignore
    expect(await run.post('clicks', '{\n  "id": 4,\n  "page": "c"\n}')).toMatchObject({ body: { rows: 1 } });
    expect(await run.post('clicks', gzipSync('{"id": 5, "page": "c"}\n'), { 'content-encoding': 'GZIP' })).toMatchObject({ body: { rows: 1 } }); // prettier-ignore
    expect(await run.post('clicks', '')).toMatchObject({ status: 200, body: { rows: 0 } });
    expect(await run.post('clicks', '[]')).toMatchObject({ status: 200, body: { rows: 0 } });
    // A record that is JSON and does not fit is a dead letter, as anywhere.
    expect(await run.post('clicks', '{"id": "many", "page": "d"}\n13\n{"id": 6, "page": "c"}')).toMatchObject({ body: { rows: 3 } }); // prettier-ignore
    expect(await run.post('Other things', '{"n": 1}', other)).toMatchObject({ body: { rows: 1 } });
    await run.read('clicks', 9);
    await run.read('Other things', 1);
    const summary = await run.stop();
    expect(summary.sources.map(({ rows, deadLetters }) => [rows, deadLetters])).toEqual([[9, 2], [1, 0]]); // prettier-ignore
    expect(await run.rows('FROM pages ORDER BY page')).toEqual([['a', '3', '6'], ['b,]"', '1', '9007199254740993'], ['c', '3', '15']]); // prettier-ignore
    const dead = await run.rows('SELECT "offset", reason FROM _streamsql.dead_letters ORDER BY 1');
    expect(dead).toEqual([
      ['6', expect.stringContaining('many')],
      ['7', 'not a JSON object'],
    ]);
    await run.close();
  });

  test('is refused as a whole where it is not to be taken, with the reason', async () => {
    const run = await start();
    const { origin } = new URL(run.urls.get('clicks') ?? '');
    expect(await run.post('clicks', '{"id": 1}\n{"id": 2\n{"id": 3}')).toMatchObject({ status: 400, body: { line: 2, error: expect.stringContaining('line 2') as string } }); // prettier-ignore
    expect((await run.post('clicks', '[{"id": 1}, {"id": 2]')).status).toBe(400);
    expect((await run.post('clicks', Buffer.from([0x22, 0xff, 0x22]))).status).toBe(400);
    expect((await run.post('clicks', 'no gzip', { 'content-encoding': 'gzip' })).status).toBe(400);
    expect((await run.post('clicks', '{}', { 'content-encoding': 'br' })).status).toBe(415);
    expect((await run.post('clicks', 'id,page', { 'content-type': 'text/csv' })).status).toBe(415);
    expect((await run.post('clicks', '{}', { origin: 'http://evil.example' })).status).toBe(403);
    const token = { authorization: 'Bearer sesame' };
    expect((await run.post('Other things', '{"n": 1}')).headers.get('www-authenticate')).toBe('Bearer');
    expect((await run.post('Other things', '{"n": 1}', { authorization: 'Bearer sesam' })).status).toBe(401);
    expect((await run.post('Other things', JSON.stringify({ n: 'x'.repeat(300) }), token)).status).toBe(413);
    expect((await run.post('Other things', gzipSync('x'.repeat(100_000)), { ...token, 'content-encoding': 'gzip' })).status).toBe(413); // prettier-ignore
    const got = await fetch(run.urls.get('clicks') ?? '');
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await fetch(`${origin}/ingest/nobody`, { method: 'POST', body: '{}' })).status).toBe(404);
    expect((await fetch(`${origin}/`)).status).toBe(404);
    expect((await run.post('clicks', '{"id": 7, "page": "z"}')).status).toBe(200);
    await run.read('clicks', 1);
    await run.stop();
    expect(await run.rows('SELECT s FROM pages')).toEqual([['7']]);
    await run.close();
  });

  test('is pushed back while too much waits, and taken later', async () => {
    // Each epoch waits, so that what is posted is not taken at once.
    const run = await start({ batchIntervalMs: 600 });
    const post = (): Promise<Answer> => run.post('Other things', '{"n": 1}', { authorization: 'Bearer sesame' });
    let [taken, pushed] = [0, undefined as Answer | undefined];
    for (let i = 0; i < 50 && pushed === undefined; i++) {
      const answer = await post();
      if (answer.status === 429) pushed = answer;
      else taken++;
    }
    expect(pushed?.headers.get('retry-after')).toBe('1');
    for (let status = 429; status === 429;) ({ status } = await post());
    await run.read('Other things', taken + 1);
    await run.stop();
    await run.close();
  });

  test('is pushed back by what it is when decompressed', async () => {
    const sql = SQL.replace("'127.0.0.1:0')", "'127.0.0.1:0', max_pending = '10 kB')");
    const run = await start({ batchIntervalMs: 600 }, sql);
    const body = gzipSync(JSON.stringify({ id: 1, page: 'x'.repeat(9000) }));
    expect(body.length).toBeLessThan(100);
    const post = (): Promise<Answer> => run.post('clicks', body, { 'content-encoding': 'gzip' });
    const answers = await Promise.all(Array.from({ length: 20 }, post));
    const taken = answers.filter(({ status }) => status === 200).length;
    expect(answers.filter(({ status }) => status === 429).length).toBe(20 - taken);
    expect(taken).toBeLessThan(10);
    await run.read('clicks', taken);
    await run.stop();
    await run.close();
  });
});

/** A body whose length is not announced. */
function postInPieces(url: string, pieces: readonly string[], headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: new Headers(), body: JSON.parse(text) as Answer['body'] })); // prettier-ignore
    });
    sent.on('error', reject);
    for (const piece of pieces) sent.write(piece);
    sent.end();
  });
}

test('what does not say how long it is is refused on the way, and hears of it', async () => {
  const run = await start();
  const token = { authorization: 'Bearer sesame' };
  const [clicks, others] = ['clicks', 'Other things'].map((name) => run.urls.get(name) ?? '') as [string, string];
  expect(await postInPieces(clicks, ['{"id": 1, "pa', 'ge": "a"}'])).toMatchObject({ status: 200, body: { rows: 1 } });
  const long = Array.from({ length: 200 }, () => ' '.repeat(1 << 16));
  expect(await postInPieces(others, long, token)).toMatchObject({ status: 413 });
  expect(await postInPieces(others, ['{"n"', ': 1}'], token)).toMatchObject({ status: 200 });
  await run.read('Other things', 1);
  await run.stop();
  await run.close();
});

test('a request that is under way when the run ends is answered, and what was answered is there in the next run', async () => {
  const run = await start(kept());
  const { port, pathname } = new URL(run.urls.get('clicks') ?? '');
  const status = new Promise<number | undefined>((resolve, reject) => {
    const options = { port, path: pathname, method: 'POST', host: '127.0.0.1', headers: { expect: '100-continue' } };
    const sent = request(options, (response) => resolve(response.resume().statusCode));
    sent.on('error', reject);
    sent.on('continue', () => {
      sent.write('{"id": 1, "page": "late"}\n');
      void run.stop();
      sent.end('{"id": 2, "page": "late"}\n');
    });
    sent.flushHeaders();
  });
  await run.ended;
  expect(await status).toBe(200);
  await run.close();
  const next = await start(kept());
  await next.read('clicks', 2);
  const summary: RunSummary = await next.stop();
  expect(summary.rowsIn).toBe(2);
  expect(await next.rows('FROM pages')).toEqual([['late', '2', '3']]);
  await next.close();
});

test('what was answered before a run had begun is there in the next one', async () => {
  const run = await start(kept());
  await run.post('clicks', '{"id": 1, "page": "early"}');
  await run.stop();
  await run.close();
  // As if it had been killed before its first checkpoint.
  for (const gone of ['state/checkpoints', 'r.duckdb']) rmSync(join(folder, gone), { recursive: true });
  const next = await start(kept());
  await next.read('clicks', 1);
  await next.stop();
  expect(await next.rows('FROM pages')).toEqual([['early', '1', '1']]);
  await next.close();
  const anew = await start({ ...kept(), fresh: true });
  await anew.stop();
  expect(await anew.rows('FROM pages')).toEqual([]);
  await anew.close();
});

test('when the disk is full whoever posted is told so, and the run ends', async () => {
  const disk: Disk = {
    ...realDisk,
    openFile: async (path) => {
      const file = await realDisk.openFile(path);
      const append = (): Promise<void> => Promise.reject(new Error('no space left'));
      return Object.assign(Object.create(file) as typeof file, { append, close: () => file.close() });
    },
  };
  const run = await start(kept(), SQL, { disk });
  const ended = expect(run.ended).rejects.toMatchObject({ code: 'SOURCE', message: expect.stringContaining('no space left') as string }); // prettier-ignore
  expect(await run.post('clicks', '{"id": 1}')).toMatchObject({ status: 503, body: { error: expect.stringContaining('no space left') as string } }); // prettier-ignore
  await ended;
  await run.close();
});

test('an hour in which the engine was down is no quiet: what was meant to be posted then is not late', async () => {
  const sql = SQL.replace('page VARCHAR)', 'page VARCHAR, ts TIMESTAMP, WATERMARK FOR ts AS ts)').concat(`
    CREATE MATERIALIZED VIEW minutes AS SELECT window_start, count(*) AS n FROM TUMBLE(clicks, ts, INTERVAL '1 minute')
    GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;`);
  const origin = Date.UTC(2024, 0, 1);
  let clock = origin;
  const click = (minute: number): string => JSON.stringify({ id: minute, ts: new Date(origin + 60_000 * minute) });
  const host = { now: () => clock };
  const run = await start(kept(), sql, host);
  await run.post('clicks', click(0));
  await run.read('clicks', 1);
  await run.stop();
  await run.close();
  clock += 3_600_000;
  const next = await start(kept(), sql, host);
  // Each epoch is a look at the clock.
  for (let rows = 1; rows <= 3; rows++) {
    await next.post('Other things', '{"n": 1}', { authorization: 'Bearer sesame' });
    await next.read('Other things', rows);
    clock += 1000;
  }
  await next.post('clicks', click(10));
  await next.read('clicks', 2);
  expect((await next.stop()).late).toBe(0);
  await next.close();
});

test.each([
  ['the log has', ''],
  ['is retained', ", retain = '1 hour'"],
])('a view that is added starts with what %s', async (_, retain) => {
  const sql = SQL.replace("'127.0.0.1:0')", `'127.0.0.1:0'${retain})`);
  const run = await start(kept(), sql);
  for (let id = 1; id <= 3; id++) await run.post('clicks', `{"id": ${id}, "page": "a"}`);
  await run.read('clicks', 3);
  await run.stop();
  await run.close();
  const added = `${sql} CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(id) AS s FROM clicks;`;
  const next = await start(kept(), added);
  await next.post('clicks', '{"id": 4, "page": "a"}');
  await next.read('clicks', 4);
  await next.stop();
  expect(await next.rows('FROM total')).toEqual([['4', '10']]);
  expect(next.warnings).toEqual([]);
  await next.close();
});

test('two runs of a process may take what is posted to one name: each gets all of it', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  const sql = SQL.replaceAll('127.0.0.1:0', `127.0.0.1:${port}`);
  const [a, b] = [await start({}, sql), await start({}, sql)];
  expect(await a.post('clicks', '{"id": 1, "page": "a"}')).toMatchObject({ status: 200, body: { rows: 1 } });
  await Promise.all([a.read('clicks', 1), b.read('clicks', 1)]);
  await a.stop();
  expect(await b.post('clicks', '{"id": 2, "page": "a"}')).toMatchObject({ status: 200 });
  await b.read('clicks', 2);
  await b.stop();
  expect([await a.rows('FROM pages'), await b.rows('FROM pages')]).toEqual([[['a', '1', '1']], [['a', '2', '3']]]);
  await a.close();
  await b.close();
});

test('a port that is taken is an error that names it, and nothing is touched', async () => {
  const run = await start(kept());
  const { port } = new URL(run.urls.get('clicks') ?? '');
  const engine = await open({ db: join(folder, 's.duckdb'), state: join(folder, 'other') });
  await engine.sql(`CREATE SOURCE c (id BIGINT) WITH (connector = 'http', listen = '${port}');
    CREATE MATERIALIZED VIEW v AS SELECT * FROM c;`);
  await expect(engine.run()).rejects.toThrow(new RegExp(`SOURCE|127.0.0.1:${port}`));
  await engine.close();
  await run.stop();
  await run.close();
});
