import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SinkContext, SinkWriter } from '../src/base/connector.ts';
import type { Column } from '../src/base/schema.ts';
import { httpSinkIn } from '../src/connectors/http-sink/connector.ts';
import { open } from '../src/engine.ts';
import { refusal } from './support/sequence-bench.ts';
import { openSinkBench, planSink, type SinkBench } from './support/sink-bench.ts';

const COLUMNS: readonly Column[] = [
  { name: 'op', type: 'VARCHAR' },
  { name: 'n', type: 'BIGINT' },
  { name: 'at', type: 'TIMESTAMP' },
];

interface Taken {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Reply = (response: ServerResponse) => void;
const status = (code: number, text = '', headers: Readonly<Record<string, string>> = {}): Reply => (response) => {
  response.writeHead(code, headers).end(text);
}; // prettier-ignore
/** It has the whole request, and is gone before it answers. */
const drop: Reply = (response) => response.socket?.destroy();
const silence: Reply = () => undefined;

let bench: SinkBench;
let server: Server;
let taken: Taken[];
/** What is answered, one after another; 200 when they are used up. */
let replies: Reply[];
let pauses: number[];
let notices: (string | undefined)[];
let clock: number;

beforeAll(async () => {
  bench = await openSinkBench();
});
afterAll(() => bench.close());
beforeEach(async () => {
  [taken, replies, pauses, notices, clock] = [[], [], [], [], 0];
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      taken.push({ method, url, headers, body: Buffer.concat(pieces).toString() });
      (replies.shift() ?? status(200, 'thanks'))(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const sink = httpSinkIn({
  pause: (ms) => {
    pauses.push(ms);
    clock += ms;
    return Promise.resolve();
  },
  now: () => clock,
  random: () => 0,
});

type Options = Readonly<Record<string, string>>;

const opened = async (options: Options = {}, parts: Partial<SinkContext> = {}, columns = COLUMNS): Promise<SinkWriter> => {
  const planned = planSink(sink, { url: `${origin()}/in?x=1`, ...options }, { name: 'a b/ü', columns });
  const writer = planned.open(bench.context({ notice: (message) => notices.push(message), job: 'j1', ...parts }));
  await writer.open();
  return writer;
}; // prettier-ignore

const write = async (writer: SinkWriter, epoch: number, values: string, columns = COLUMNS): Promise<void> => {
  await writer.stage(epoch, await bench.delta(columns, values), values === '' ? 0 : 1);
  await writer.publish(epoch);
};

const ROW = `('+', 1, '2024-01-01')`;
const keys = (): readonly unknown[] => taken.map(({ headers }) => headers['idempotency-key']);

describe('a request', () => {
  test('has the rows of an epoch as an array, and a key of its own', async () => {
    const writer = await opened();
    expect(await writer.isPublished(3)).toBe(false);
    await write(writer, 3, `${ROW}, ('-', NULL, '2024-01-01 10:00:00.5')`);
    await write(writer, 4, '');
    await writer.publish(3);
    expect(taken.length).toBe(1);
    expect(taken[0]).toMatchObject({ method: 'POST', url: '/in?x=1' });
    expect(taken[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'streamsql',
      'idempotency-key': 'j1-a%20b%2F%C3%BC-3-0',
    });
    expect(taken[0]?.body).toBe(
      '[{"op":"-","n":null,"at":"2024-01-01 10:00:00.5"},{"op":"+","n":1,"at":"2024-01-01 00:00:00"}]',
    );
  });

  test('is one of several where an epoch has many rows', async () => {
    const writer = await opened({ batch_rows: '2', format: 'ndjson', method: 'put' });
    await write(writer, 1, [5, 4, 3, 2, 1].map((n) => `('+', ${n}, NULL)`).join(', '));
    expect(taken.map(({ body }) => body)).toEqual([
      '{"op":"+","n":1,"at":null}\n{"op":"+","n":2,"at":null}\n',
      '{"op":"+","n":3,"at":null}\n{"op":"+","n":4,"at":null}\n',
      '{"op":"+","n":5,"at":null}\n',
    ]);
    expect(keys()).toEqual(['j1-a%20b%2F%C3%BC-1-0', 'j1-a%20b%2F%C3%BC-1-1', 'j1-a%20b%2F%C3%BC-1-2']);
    expect(taken[0]).toMatchObject({ method: 'PUT', headers: { 'content-type': 'application/x-ndjson' } });
  });

  test('is the same again, whatever order the rows come in', async () => {
    const columns = [
      { name: 'd', type: 'DOUBLE' },
      { name: 'm', type: 'MAP(VARCHAR, INTEGER)' },
      { name: 'j', type: 'JSON' },
    ];
    const rows = [
      `('0.0', MAP {'a': 1}, '{"a":\n 1}')`,
      `('-0.0', MAP {'a': 1}, '[]')`,
      `('nan', NULL, NULL)`,
      `('0.0', MAP {'a': 2}, NULL)`,
    ];
    await write(await opened({}, {}, columns), 1, rows.join(), columns);
    await write(await opened({}, {}, columns), 1, rows.toReversed().join(), columns);
    expect(taken[1]?.body).toBe(taken[0]?.body);
    expect(keys()[1]).toBe(keys()[0]);
  });

  test('has the headers that the user gives', async () => {
    const writer = await opened({
      headers: 'Authorization: Bearer t0ken ; content-type: text/plain; charset=utf-8\nX-A:b:c; User-Agent: me;',
    });
    await write(writer, 1, ROW);
    expect(taken[0]?.headers).toMatchObject({
      authorization: 'Bearer t0ken',
      'content-type': 'text/plain; charset=utf-8',
      'x-a': 'b:c',
      'user-agent': 'me;',
    });
  });
});

describe('what is not taken', () => {
  test.each([408, 425, 429, 500, 502, 503])('is sent again after %s, the same with the same key', async (code) => {
    replies = [status(code), status(code, 'not now')];
    await write(await opened(), 7, ROW);
    expect(taken.length).toBe(3);
    expect(new Set(keys()).size).toBe(1);
    expect(new Set(taken.map(({ body }) => body)).size).toBe(1);
    expect(notices.length).toBe(3);
    expect(notices[1]).toMatch(new RegExp(`^waiting for ${origin()}: ${code} .*: not now$`));
    expect(notices[2]).toBe(undefined);
  });

  test('is sent again with the same key where the answer was lost', async () => {
    replies = [status(200), drop];
    const writer = await opened({ batch_rows: '1' });
    await write(writer, 1, `${ROW}, ('+', 2, NULL), ('+', 3, NULL)`);
    expect(keys()).toEqual(['0', '1', '1', '2'].map((part) => `j1-a%20b%2F%C3%BC-1-${part}`));
    expect(taken[2]?.body).toBe(taken[1]?.body);
    expect(notices[0]).toContain(`waiting for ${origin()}: `);
  });

  test('is sent again where no answer comes in time', async () => {
    replies = [silence];
    await write(await opened({ timeout: '50 ms' }), 1, ROW);
    expect(taken.length).toBeGreaterThan(1);
    expect(new Set(keys()).size).toBe(1);
    expect(notices[0]).toBe(`waiting for ${origin()}: no answer within 50 ms`);
  });

  test('is sent again where an answer begins and does not end', async () => {
    replies = [(response) => void response.writeHead(500).write('hm')];
    await write(await opened({ timeout: '100 ms' }), 1, ROW);
    expect(taken.length).toBeGreaterThan(1);
  });

  test('is sent again by the next run, which cannot know', async () => {
    replies = [drop];
    const rows = `${ROW}, ('+', 2, NULL)`;
    await expect(write(await opened({ retry_for: '0 s' }), 5, rows)).rejects.toMatchObject({ code: 'SINK' });
    const second = await opened({}, { resume: { epoch: 5 } });
    expect(await second.isPublished(5)).toBe(false);
    await write(second, 5, rows);
    expect(taken.length).toBe(2);
    expect([taken[1]?.body, keys()[1]]).toEqual([taken[0]?.body, keys()[0]]);
  });

  test('waits longer each time, and as long as the other side asks', async () => {
    replies = [...Array.from({ length: 10 }, () => status(503)), status(429, '', { 'Retry-After': '120' })];
    replies.push(status(503, '', { 'Retry-After': new Date(Date.now() + 600_000).toUTCString() }));
    replies.push(status(503, '', { 'Retry-After': '999999' }), status(503, '', { 'Retry-After': 'soon' }));
    await write(await opened(), 1, ROW);
    expect(pauses.slice(0, 11)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000, 120_000]);
    expect(pauses[11]).toBeGreaterThan(590_000);
    expect(pauses.slice(12)).toEqual([3_600_000, 15_000]);
  });

  test('ends the run when retry_for is over', async () => {
    replies = Array.from({ length: 20 }, () => status(503));
    await expect(write(await opened({ retry_for: '1 second' }), 2, ROW)).rejects.toMatchObject({
      code: 'SINK',
      message: `sink a b/ü: ${origin()} has not taken epoch 2, and retry_for is over: 503 Service Unavailable`,
      hint: 'the same command sends it again',
    });
    expect(pauses).toEqual([100, 200, 400]);
  });

  test('ends the run that is asked to stop, after one try', async () => {
    const stop = new AbortController();
    const writer = await opened({}, { stopping: stop.signal });
    stop.abort();
    await write(writer, 1, ROW);
    replies = [status(503)];
    await expect(write(writer, 2, ROW)).rejects.toMatchObject({
      message: expect.stringContaining('has not taken epoch 2, and the run is to stop') as string,
    });
    expect(taken.length).toBe(2);
  });

  test('waits for an address where nobody listens yet', async () => {
    const url = origin();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const planned = planSink(sink, { url, retry_for: '500 ms' }, { columns: COLUMNS });
    await expect(write(planned.open(bench.context()), 1, ROW)).rejects.toMatchObject({
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    expect(pauses.length).toBe(2);
  });
});

describe('a refusal', () => {
  test('stops the run, with the beginning of the answer on one line', async () => {
    replies = [status(400, `no such\n  column ${'x'.repeat(300)}`)];
    await expect(write(await opened(), 2, ROW)).rejects.toMatchObject({
      code: 'SINK',
      message: `sink a b/ü: ${origin()} refuses epoch 2: 400 Bad Request: no such column ${'x'.repeat(185)}`,
      hint: 'see that it takes this request; the same command then sends it again',
    });
    expect(taken.length).toBe(1);
  });

  test('does not show what it was told in confidence', async () => {
    const headers = 'Authorization: Bearer s3cretT0ken; X-Key: k3y=ab12cd';
    replies = [status(401, `${'y'.repeat(195)} s3cretT0ken is not known, nor Bearer s3cretT0ken, nor ab12cd`)];
    const error: unknown = await write(await opened({ headers }), 2, ROW).catch((caught: unknown) => caught);
    expect(String(error)).toContain('401');
    expect(String(error)).not.toMatch(/s3c|ab12/);
    replies = [status(503, 'who is s3cretT0ken?')];
    await write(await opened({ headers }), 2, ROW);
    expect(notices[0]).toBe(`waiting for ${origin()}: 503 Service Unavailable: who is …?`);
  });

  test.each([301, 302, 307, 308])('a redirect, %s, is one', async (code) => {
    replies = [status(code, '', { Location: '/elsewhere' })];
    await expect(write(await opened(), 2, ROW)).rejects.toMatchObject({
      message: expect.stringContaining('redirects are not followed') as string,
    });
    expect(taken.length).toBe(1);
  });

  test('is also what waiting does not mend', async () => {
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(write(await opened({ url }), 2, ROW)).rejects.toMatchObject({ message: expect.stringContaining('refuses epoch 2') as string }); // prettier-ignore
  });
});

test('what is no address, and what is no header, is refused and not shown', () => {
  const refused = (options: Options) =>
    refusal(() => planSink(sink, { url: 'http://localhost', ...options }, { columns: COLUMNS }));
  expect(refused({ url: 'localhost:8080/x' })).toMatchObject({ code: 'OPTION', hint: 'it takes http: and https:' });
  expect(refused({ url: 'no-address' })).toMatchObject({ message: 'sink out: url is no web address' });
  expect(refused({ url: 'ftp://x' })).toMatchObject({ message: 'sink out: url begins with ftp:' });
  expect(refused({ headers: 'Bearer s3cret' }).message).toBe('sink out: headers has a part without a name');
  expect(refused({ headers: 'X-A: s3cret\u0001' }).message).toBe(
    'sink out: the header X-A has what HTTP does not carry',
  );
  expect(refused({ headers: 'X-A: s3cret€' }).message).toBe('sink out: the header X-A has what HTTP does not carry');
  expect(refused({ headers: 'Idempotency-Key: mine' }).message).toBe("sink out: the header Idempotency-Key is not the user's to set"); // prettier-ignore
});

test('a file says it all, and EXPLAIN what it promises', async () => {
  const engine = await open({ variables: { URL: `${origin()}/in` } });
  await engine.sql(`CREATE SOURCE numbers (k AS n % 2) WITH (connector = 'generator', rows = 3);
    CREATE SINK hook WITH (connector = 'http', url = '\${URL}', format = 'ndjson') AS SELECT k, count(*) AS n FROM numbers GROUP BY k`);
  expect(await engine.explain()).toMatch(/^sink hook, emit changes, at least once\n/);
  await engine.run();
  await engine.close();
  expect(taken.map(({ body }) => body)).toEqual(['{"op":"+","k":0,"n":2}\n{"op":"+","k":1,"n":1}\n']);
  expect(keys()[0]).toMatch(/^[0-9a-f]{16}-hook-\d+-0$/);
});
