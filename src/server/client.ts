import { connect, type Socket } from 'node:net';
import { StreamsqlError } from '../base/errors.ts';
import type { ReadPart, ResultTable } from '../base/run.ts';
import type { EngineStatus } from '../base/status.ts';
import type { Column } from '../base/schema.ts';
import { connectPath, socketOf } from './address.ts';
import { jsonLines, lineOf, PROTOCOL, receivedError, type Reply, type Request } from './protocol.ts';

export interface AskOptions {
  /** Relative paths in the text resolve against it. */
  readonly cwd: string;
  /** Aborting it ends the query, here and there. */
  readonly signal?: AbortSignal;
  /** Called where the query has to wait for others. */
  readonly onWait?: (queue: { readonly running: number; readonly before: number }) => void;
}

/** The run that holds a database, to be asked. Each question has a connection of its own. */
export class RunningEngine {
  private readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** The engine that holds a database and answers; undefined where none does. */
  static async at(db: string): Promise<RunningEngine | undefined> {
    const path = connectPath(socketOf(db));
    if (path === undefined) return undefined;
    const socket = await connected(path);
    socket?.destroy();
    return socket === undefined ? undefined : new RunningEngine(path);
  }

  /** See `Engine.read`. Throws its errors, and LOCKED where the run ends meanwhile: then the database may be at rest. */
  async *read(sql: string, { cwd, signal, onWait }: AskOptions): AsyncGenerator<ReadPart> {
    for await (const reply of this.ask({ streamsql: PROTOCOL, ask: 'query', sql, cwd }, signal)) {
      if ('waiting' in reply) onWait?.(reply.waiting);
      else if ('epoch' in reply || 'columns' in reply || 'rows' in reply) yield reply;
    }
  }

  async status(): Promise<EngineStatus> {
    for await (const reply of this.ask({ streamsql: PROTOCOL, ask: 'status' }, undefined))
      if ('status' in reply) return reply.status;
    throw runEnded();
  }

  private async *ask(request: Request, signal: AbortSignal | undefined): AsyncGenerator<Reply> {
    const socket = await connected(this.path);
    if (socket === undefined) throw runEnded();
    const stop = (): void => void socket.destroy();
    signal?.addEventListener('abort', stop);
    try {
      socket.write(lineOf(request));
      for await (const message of jsonLines(socket as AsyncIterable<Uint8Array>)) {
        const reply = message as Reply;
        if ('end' in reply) return;
        if ('error' in reply) throw receivedError(reply.error);
        yield reply;
      }
    } catch (error) {
      if (error instanceof StreamsqlError || signal?.aborted === true) throw error;
      throw runEnded(error);
    } finally {
      signal?.removeEventListener('abort', stop);
      socket.destroy();
    }
    throw runEnded();
  }
}

/** What `read` gives as a table for each statement. */
export async function tablesOf(parts: AsyncIterable<ReadPart>): Promise<readonly ResultTable[]> {
  const tables: { columns: readonly Column[]; rows: (readonly unknown[])[] }[] = [];
  for await (const part of parts) {
    if ('columns' in part) tables.push({ columns: part.columns, rows: [] });
    else if ('rows' in part) for (const row of part.rows) tables.at(-1)?.rows.push(row);
  }
  return tables;
}

const runEnded = (cause?: unknown): StreamsqlError =>
  new StreamsqlError('LOCKED', 'the run ended while it was asked', { hint: 'ask again', cause });

/** Undefined where nobody listens. */
function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const failed = (error: Error & { code?: string }): void => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else if (error.code === 'EACCES' || error.code === 'EPERM')
        reject(new StreamsqlError('LOCKED', `the run that listens on ${path} is another user's`, { cause: error }));
      else reject(error);
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      // From here on errors end the iteration over it.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
