import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { modifiedOf, statOf, type FileStat } from './identity.ts';

/** A file where it was at some moment. */
export interface PlacedFile {
  readonly path: string;
  readonly seen: FileStat;
}

const MOST_TRIES = 20;

/** The files of a folder by inode, all of one moment: they are looked at again where the folder has changed meanwhile. */
export async function filesOf(folder: string): Promise<ReadonlyMap<bigint, PlacedFile>> {
  for (let tries = 1; ; tries++) {
    const before = await modifiedOf(folder);
    const names = await readdir(folder).catch(() => []);
    const found = await placed(names.map((name) => join(folder, name)));
    if (tries === MOST_TRIES || before === (await modifiedOf(folder))) return found;
  }
}

export async function placed(paths: readonly string[]): Promise<ReadonlyMap<bigint, PlacedFile>> {
  const found = new Map<bigint, PlacedFile>();
  for (const path of paths) {
    const seen = await statOf(path);
    if (seen !== undefined) found.set(seen.inode, { path, seen });
  }
  return found;
}

/** Whether a path is one that a file gets when it is rotated: `log.1`, `log-20240131`. */
export function isRotated(path: string, from: string): boolean {
  const [name, base] = [basename(path), basename(from)];
  return name.startsWith(base) && /^[-._]\d[-._\d]*$/.test(name.slice(base.length));
}
