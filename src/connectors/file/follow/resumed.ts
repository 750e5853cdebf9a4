import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { FoundFile } from '../glob.ts';
import type { FileContext, ListedFile } from '../listed-files.ts';
import { beginningOf, beginsAs, identityOf, statOf, type FileStat, type Heads } from './identity.ts';

/** A file that was known, and where it is now. */
export interface ResumedFile {
  readonly partition: string;
  readonly listed: ListedFile;
  readonly seen: FileStat | undefined;
  readonly isWhole: boolean;
}

/**
 * The files that were known, in their order, found again whatever they are called now: by inode, also beside where they were,
 * and by how they begin; one that was put back from a copy, by its name and how it begins.
 */
export async function resumedFiles(
  context: FileContext,
  found: readonly FoundFile[],
  cwd: string,
  heads: Heads,
): Promise<readonly ResumedFile[]> {
  const { partitions = [], turnedUp = [] } = context.resume ?? {};
  const known = [...partitions, ...turnedUp.map((name) => ({ name, position: 0, ordinal: 0, end: undefined }))];
  const search = new Search(cwd, heads, found);
  const places = new Map<string, Place>();
  // Of two generations of a file the later one has it.
  for (const byName of [false, true])
    for (const { name } of [...known].reverse()) {
      const place = places.has(name) ? undefined : await search.find(name, byName);
      if (place !== undefined) places.set(name, place);
    }
  return known.map(({ name, position, ordinal = 0, end }) => {
    const place = places.get(name);
    const called = identityOf(name)?.name ?? name;
    const file = { name: called, path: place?.path ?? resolve(cwd, called) };
    const listed = { file, isThere: place !== undefined, position, ordinal, end };
    return { partition: name, listed, seen: place?.seen, isWhole: place?.isWhole ?? false };
  });
}

interface Place {
  readonly path: string;
  readonly seen: FileStat;
  readonly isWhole: boolean;
}

class Search {
  private readonly cwd: string;
  private readonly heads: Heads;
  private readonly found: readonly FoundFile[];
  private readonly claimed = new Set<string>();
  private matching: Map<string, string> | undefined;
  private readonly folders = new Map<string, Map<string, string>>();

  constructor(cwd: string, heads: Heads, found: readonly FoundFile[]) {
    this.cwd = cwd;
    this.heads = heads;
    this.found = found;
  }

  async find(partition: string, byName: boolean): Promise<Place | undefined> {
    const identity = identityOf(partition);
    if (identity === undefined) return undefined;
    const path = resolve(this.cwd, identity.name);
    if (byName) return this.claim(path, partition);
    const own = await statOf(path);
    if (own !== undefined && inBase36(own.inode) === identity.inode) return this.claim(path, partition);
    this.matching ??= await inodes(this.found.map((file) => file.path));
    const match = this.matching.get(identity.inode);
    if (match !== undefined) return this.claim(match, partition);
    const beside = (await this.beside(dirname(path))).get(identity.inode);
    return beside === undefined ? undefined : this.claim(beside, partition);
  }

  private async claim(path: string, partition: string): Promise<Place | undefined> {
    if (this.claimed.has(path)) return undefined;
    const [seen, beginning] = [await statOf(path), await beginningOf(path, this.heads)];
    if (seen === undefined || beginning === undefined || !beginsAs(partition, beginning)) return undefined;
    this.claimed.add(path);
    return { path, seen, isWhole: beginning.isWhole };
  }

  private async beside(folder: string): Promise<ReadonlyMap<string, string>> {
    const known = this.folders.get(folder);
    if (known !== undefined) return known;
    const made = await inodesBeside(folder);
    this.folders.set(folder, made);
    return made;
  }
}

/** Paths of a folder's files by their inodes, in base 36. */
export async function inodesBeside(folder: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch(() => []);
  return inodes(names.map((name) => join(folder, name)));
}

async function inodes(paths: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const path of paths) {
    const seen = await statOf(path);
    if (seen !== undefined) found.set(inBase36(seen.inode), path);
  }
  return found;
}

const inBase36 = (inode: bigint): string => inode.toString(36);
