import { chmodSync, lstatSync, mkdtempSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isTooLong, shortTarget, socketOf, SHORT_PREFIX } from './address.ts';
import { answer, type Asked } from './answer.ts';
import { QueryDesk } from './query-desk.ts';

export interface Listening {
  /** Those who ask are answered no more, and the socket goes. */
  close(): Promise<void>;
}

/**
 * Lets the owner of the process ask the engine that holds the database in `db`, through a socket beside it that only the owner can
 * open. To be called while the engine holds the database: a socket that is there already is one that a killed run left.
 * Throws where it cannot listen; an engine runs as well without.
 */
export async function listen(engine: Asked, db: string): Promise<Listening> {
  const place = socketOf(db);
  removeStale(place);
  const desk = new QueryDesk();
  const sockets = new Set<Socket>();
  const answering = new Set<Promise<void>>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const work = answer(socket, engine, desk).catch(() => void socket.destroy());
    answering.add(work);
    void work.finally(() => answering.delete(work));
  });
  const long = isTooLong(place);
  const folder = long ? mkdtempSync(join(tmpdir(), SHORT_PREFIX)) : undefined;
  const path = folder === undefined ? place : join(folder, 's');
  try {
    await bind(server, path);
    if (long) symlinkSync(path, place);
  } catch (error) {
    server.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  // Whoever only listens does not keep the process.
  server.unref();
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if (folder !== undefined) {
        rmSync(place, { force: true });
        rmSync(folder, { recursive: true, force: true });
      }
      await Promise.race([Promise.all(answering), wait(GRACE_MS)]);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** How long answers that are under way may take when all else has ended, ms. */
const GRACE_MS = 500;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

/** The socket is never there for others to open: it is made with the rights that it is to have. */
async function bind(server: Server, path: string): Promise<void> {
  const before = process.platform === 'win32' ? undefined : narrowed();
  try {
    const listening = new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', () => resolve());
    });
    // It is bound when this returns.
    server.listen(path);
    if (before !== undefined) process.umask(before);
    await listening;
  } finally {
    if (before !== undefined) process.umask(before);
  }
  if (process.platform !== 'win32') chmodSync(path, 0o600);
}

/** What the process's umask was; undefined in a worker thread, which cannot set it. */
function narrowed(): number | undefined {
  try {
    return process.umask(0o177);
  } catch {
    return undefined;
  }
}

/** Removes what a killed run left; nothing that is no socket. */
function removeStale(place: string): void {
  if (process.platform === 'win32') return;
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isSymbolicLink()) {
    const target = shortTarget(place);
    if (target === undefined) throw new Error(`${place} is a link that streamsql did not make`);
    rmSync(dirname(target), { recursive: true, force: true });
    unlinkSync(place);
  } else if (found.isSocket()) unlinkSync(place);
  else throw new Error(`${place} is there, and is no socket`);
}
