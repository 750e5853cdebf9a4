import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

/** What a socket's path may be long, bytes: sockaddr_un has 104 on macOS and the BSDs, 108 on Linux, and ends in a zero. */
const LONGEST = 100;

/** Of the folder of a socket whose place beside the database has too long a path. */
export const SHORT_PREFIX = 'streamsql-ask-';

/**
 * Where the engine that holds a database listens: `demo.duckdb.sock` beside it, of the database itself and not of a link to
 * it. On Windows a named pipe.
 */
export function socketOf(db: string): string {
  const path = real(resolve(db));
  if (process.platform !== 'win32') return `${path}.sock`;
  return `\\\\.\\pipe\\streamsql-${createHash('sha256').update(path.toLowerCase()).digest('hex').slice(0, 32)}`;
}

export const isTooLong = (path: string): boolean => process.platform !== 'win32' && Buffer.byteLength(path) > LONGEST;

/** Where to connect to. A socket whose path would be too long is elsewhere, and a link to it in its place. */
export function connectPath(socket: string): string | undefined {
  if (process.platform === 'win32') return socket;
  const found = lstatSync(socket, { throwIfNoEntry: false });
  if (found === undefined || !isOurs(found.uid)) return undefined;
  if (found.isSocket()) return isTooLong(socket) ? undefined : socket;
  return found.isSymbolicLink() ? shortTarget(socket) : undefined;
}

/** Whoever may write where the database is could listen in the place of its run. */
function isOurs(owner: number): boolean {
  const own = process.getuid?.();
  return own === undefined || own === 0 || owner === own;
}

/** What a link of ours leads to; undefined where the link, or the folder that it leads into, is someone else's. */
export function shortTarget(link: string): string | undefined {
  const target = resolve(dirname(link), readlinkSync(link));
  const folder = dirname(target);
  if (!basename(folder).startsWith(SHORT_PREFIX) || real(dirname(folder)) !== real(tmpdir())) return undefined;
  const owner = statSync(folder, { throwIfNoEntry: false })?.uid;
  return owner === undefined || isOurs(owner) ? target : undefined;
}

/** The results database of a state folder, or what was named itself. Relative paths are of `cwd`. */
export function databaseAt(name: string, cwd: string): { readonly db: string; readonly state: string | undefined } {
  const path = resolve(cwd, name);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return { db: path, state: undefined };
  const mark = join(path, 'streamsql.json');
  const results = join(path, 'results.duckdb');
  return { db: (existsSync(mark) ? markedDatabase(mark) : undefined) ?? results, state: path };
}

function markedDatabase(mark: string): string | undefined {
  try {
    const { db } = JSON.parse(readFileSync(mark, 'utf8')) as Readonly<Record<string, unknown>>;
    return typeof db === 'string' ? db : undefined;
  } catch {
    return undefined;
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
