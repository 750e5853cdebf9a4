import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { open, type OpenOptions } from '../src/engine.ts';
import { LiveRun } from './support/live-run.ts';

/** A server that we let speak. */
class Lines {
  readonly port: number;
  private readonly server: Server;
  private readonly waiting: ((socket: Socket) => void)[] = [];
  private readonly sockets: Socket[] = [];

  private constructor(server: Server) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
      this.waiting.shift()?.(socket);
    });
  }

  static async listen(port = 0): Promise<Lines> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new Lines(server);
  }

  connection(): Promise<Socket> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

let folder: string;
let servers: Lines[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-socket-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function listen(port?: number): Promise<Lines> {
  const server = await Lines.listen(port);
  servers.push(server);
  return server;
}

const sqlOf = (host: string, more = ''): string => `
  CREATE SOURCE s (line VARCHAR) WITH (connector = 'socket', format = 'raw', host = '${host}'${more});
  CREATE MATERIALIZED VIEW v AS SELECT line FROM s;`;

const start = async (sql: string, options: OpenOptions = {}): Promise<LiveRun> =>
  new LiveRun(await open({ cwd: folder, ...options }), sql);

const linesOf = async (run: LiveRun): Promise<readonly unknown[]> =>
  (await run.rows('FROM v ORDER BY line')).map(([line]) => line);

describe('lines of a socket', () => {
  test('come from several servers; one that goes away is waited for, and what it did not end is a dead letter', async () => {
    const [a, b] = [await listen(), await listen()];
    const connected = Promise.all([a.connection(), b.connection()]);
    const run = await start(sqlOf(`127.0.0.1:${a.port}, 127.0.0.1:${b.port}`, ", max_record = '50'"));
    const [first, other] = await connected;
    first.write('a1\na2\nhalf a li');
    other.write(`b1\n${'x'.repeat(80)}\n`);
    await run.read('s', 4);
    const again = a.connection();
    first.end();
    (await again).write('a3\n');
    await run.read('s', 6);
    other.write('b2\n');
    await run.read('s', 7);
    await run.until(() => run.noticeOf('s') === '');
    const { deadLetters } = await run.stop();
    expect(deadLetters).toBe(2);
    expect(await linesOf(run)).toEqual(['a1', 'a2', 'a3', 'b1', 'b2']);
    const letters = await run.rows(
      'SELECT partition, "offset", payload, reason FROM _streamsql.dead_letters ORDER BY reason',
    );
    expect(letters).toEqual([
      [`127.0.0.1:${a.port}`, '2', 'half a li', 'the connection ended within this line'],
      [`127.0.0.1:${b.port}`, '1', 'x'.repeat(50), expect.stringContaining('longer than 50 bytes')],
    ]);
    await run.close();
  });

  test('of a server that is not there yet are waited for, with a notice', async () => {
    const { port } = await listen();
    await servers.pop()?.close();
    const run = await start(sqlOf('127.0.0.1', `, port = ${port}`));
    await run.until(() => run.noticeOf('s').startsWith(`waiting for 127.0.0.1:${port}: `));
    const server = await listen(port);
    (await server.connection()).write('at last\n');
    await run.read('s', 1);
    await run.until(() => run.noticeOf('s') === '');
    await run.stop();
    await run.close();
  });

  test('are read on where a run stopped; what had been logged comes first', async () => {
    const kept = { db: join(folder, 'r.duckdb'), state: join(folder, 'state') };
    const server = await listen();
    const connection = server.connection();
    const run = await start(sqlOf(`127.0.0.1:${server.port}`), kept);
    (await connection).write('1\n2\n3\n');
    await run.read('s', 3);
    await run.stop();
    await run.close();
    const again = server.connection();
    const next = await start(sqlOf(`127.0.0.1:${server.port}`), kept);
    (await again).write('4\n');
    await next.read('s', 4);
    await next.stop();
    expect(await linesOf(next)).toEqual(['1', '2', '3', '4']);
    expect((await next.rows('SELECT max(epoch) > 1 FROM _streamsql.epochs'))[0]).toEqual([true]);
    await next.close();
  });

  test('wait in the server while too much is pending', async () => {
    const server = await listen();
    const connection = server.connection();
    const run = await start(sqlOf(`127.0.0.1:${server.port}`, ", max_pending = '1 kB'"), {
      maxBatchRows: 20_000,
      batchIntervalMs: 1,
    });
    const socket = await connection;
    const line = 'x'.repeat(299);
    const lines = 12_000;
    for (let i = 0; i < lines; i += 500) {
      if (!socket.write(`${line}\n`.repeat(500))) await once(socket, 'drain');
    }
    await run.read('s', lines);
    await run.stop();
    expect(await run.rows('SELECT count(*), count(DISTINCT line) FROM v')).toEqual([[String(lines), '1']]);
    await run.close();
  });
});

test.each([
  ["host = 'example.org'", /has no port/],
  ["host = 'a:1, a:1'", /given twice/],
  ["host = 'a b', port = 1", /host takes hosts/],
  ["host = 'a:1', header = true", /no option header/],
  ["host = 'a:1', delimiter = ';'", /format = 'csv' only/],
  ["host = 'a:1', tls_ca = 'ca.pem'", /tls = true/],
])('%s is refused', async (options, message) => {
  const engine = await open();
  const sql = `CREATE SOURCE s (id BIGINT) WITH (connector = 'socket', ${options})`;
  await expect(engine.sql(sql)).rejects.toMatchObject({ code: 'OPTION', message });
  await engine.close();
});
