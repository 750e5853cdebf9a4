import type { Socket } from 'node:net';
import { StreamsqlError } from '../base/errors.ts';
import type { Engine } from '../base/run.ts';
import { version } from '../exec/version.ts';
import { Outlet } from './outlet.ts';
import { jsonLines, lineOf, PROTOCOL, sentError, type Reply, type Request } from './protocol.ts';
import type { QueryDesk } from './query-desk.ts';

/** What is asked. */
export type Asked = Pick<Engine, 'read' | 'status'>;

const LONGEST_REQUEST = 16 * 2 ** 20;

/** Reads one request and answers it. When the client goes away, what it asked for ends. */
export async function answer(socket: Socket, engine: Asked, desk: QueryDesk): Promise<void> {
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  // A client that goes away while it is answered is no error.
  socket.on('error', () => socket.destroy());
  const outlet = new Outlet(socket);
  const send = (reply: Reply): Promise<void> => outlet.write(lineOf(reply));
  try {
    await send({ streamsql: PROTOCOL, version: version(), pid: process.pid });
    const request = await requestOf(socket);
    if (request === undefined) return;
    if (request.ask === 'status') await send({ status: await engine.status() });
    else await query(request, engine, desk, gone.signal, send);
    await outlet.flush();
    if (!socket.destroyed) socket.end(lineOf({ end: true }));
  } catch (error) {
    await outlet.flush().catch(() => undefined);
    if (!socket.destroyed) socket.end(lineOf({ error: sentError(error) }));
  } finally {
    await outlet.close();
  }
}

async function query(
  { sql, cwd }: Extract<Request, { ask: 'query' }>,
  engine: Asked,
  desk: QueryDesk,
  signal: AbortSignal,
  send: (reply: Reply) => Promise<void>,
): Promise<void> {
  const leave = await desk.enter(signal, (waiting) => void send({ waiting }));
  if (leave === undefined) return;
  try {
    for await (const part of engine.read(sql, { signal, cwd })) {
      if (signal.aborted) return;
      await send(part);
    }
  } finally {
    leave();
  }
}

async function requestOf(socket: Socket): Promise<Request | undefined> {
  for await (const message of jsonLines(chunksOf(socket), LONGEST_REQUEST)) {
    const request = message as Partial<Request> | null;
    if (request?.streamsql !== PROTOCOL) {
      throw new StreamsqlError('USAGE', `the run is of streamsql ${version()}, which is not asked this way`, {
        hint: 'ask with the version of streamsql that runs',
      });
    }
    if (request.ask === 'status') return { streamsql: PROTOCOL, ask: 'status' };
    if (request.ask === 'query' && typeof request.sql === 'string' && typeof request.cwd === 'string')
      return { streamsql: PROTOCOL, ask: 'query', sql: request.sql, cwd: request.cwd };
    throw new StreamsqlError('USAGE', 'the request is none that this version of streamsql knows');
  }
  return undefined;
}

/** The bytes that come, without ending the socket when nobody wants more of them. */
async function* chunksOf(socket: Socket): AsyncGenerator<Uint8Array> {
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) yield bytes as Uint8Array;
}
