import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface DiskEntry {
  readonly name: string;
  readonly folder: boolean;
}

/**
 * The disk as far as a file sink relies on it. What is written is there for good when `sync` of the file, and `syncFolder` of
 * the folder that names it, have come back. Tests put one in its place that loses the rest.
 */
export interface Disk {
  /** With the folders above it; those that it makes are named for good. */
  makeFolder(path: string): Promise<void>;
  /** What is in a folder, in the order of the names; nothing where it is not there. */
  list(path: string): Promise<readonly DiskEntry[]>;
  /** undefined where there is no such file. */
  read(path: string): Promise<string | undefined>;
  write(path: string, text: string): Promise<void>;
  sync(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file, or a folder with all that is in it; it need not be there. */
  remove(path: string): Promise<void>;
  /** A folder that is empty; one that is not stays. */
  removeEmpty(path: string): Promise<void>;
  /** undefined where there is no such file. */
  measure(path: string): Promise<{ readonly bytes: number; readonly changedMs: number } | undefined>;
}

export const realDisk: Disk = {
  async makeFolder(path) {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    for (let made = path; ; made = dirname(made)) {
      await realDisk.syncFolder(dirname(made));
      if (made === first || dirname(made) === made) return;
    }
  },
  async list(path) {
    const entries = await orMissing(readdir(path, { withFileTypes: true }));
    return (entries ?? [])
      .map((entry) => ({ name: entry.name, folder: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  },
  read: (path) => orMissing(readFile(path, 'utf8')),
  write: (path, text) => writeFile(path, text),
  sync: (path) => synced(path, 'r+'),
  // Windows has no such call for a folder, and keeps names by itself.
  syncFolder: (path) => (process.platform === 'win32' ? Promise.resolve() : synced(path, 'r')),
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  async removeEmpty(path) {
    try {
      await rmdir(path);
    } catch (error) {
      if (!isMissing(error) && !['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error;
    }
  },
  async measure(path) {
    const found = await orMissing(stat(path));
    return found === undefined ? undefined : { bytes: found.size, changedMs: found.mtimeMs };
  },
};

/** A rename that may have been done already. */
export async function settle(disk: Disk, from: string, to: string): Promise<void> {
  try {
    await disk.rename(from, to);
  } catch (error) {
    if (!isMissing(error) || (await disk.measure(to)) === undefined) throw error;
  }
}

const AT_ONCE = 16;

/** Syncs many files, or folders, some at the same time: the disk then does them together. */
export async function syncAll(paths: Iterable<string>, sync: (path: string) => Promise<void>): Promise<void> {
  const all = [...new Set(paths)];
  for (let i = 0; i < all.length; i += AT_ONCE) await Promise.all(all.slice(i, i + AT_ONCE).map(sync));
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT';

async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function synced(path: string, flags: string): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
