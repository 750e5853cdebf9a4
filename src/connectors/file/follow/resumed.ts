import { setTimeout as sleep } from 'node:timers/promises';
import { dirname, resolve } from 'node:path';
import type { FoundFile } from '../glob.ts';
import type { FileContext, ListedFile } from '../listed-files.ts';
import { filesOf, placed, type PlacedFile } from './beside.ts';
import { beginsAs, glance, identityOf, modifiedOf, type FileStat, type Heads } from './identity.ts';

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

type Places = ReadonlyMap<string, PlacedFile>;

class Search {
  private readonly cwd: string;
  private readonly heads: Heads;
  private readonly found: readonly FoundFile[];
  private readonly claimed = new Set<string>();
  private matching: Places | undefined;
  private readonly folders = new Map<string, Places>();

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
    for (let tries = 1; ; tries++) {
      const place = await this.findByInode(path, partition, identity.inode);
      if (place !== undefined || tries === MOST_TRIES || !(await isBusy(dirname(path)))) return place;
      // Renamed while it was looked for.
      await sleep(BUSY_MS);
      this.matching = undefined;
      this.folders.clear();
    }
  }

  private async findByInode(path: string, partition: string, inode: string): Promise<Place | undefined> {
    const own = await this.claim(path, partition, inode);
    if (own !== undefined) return own;
    this.matching ??= inBase36(await placed(this.found.map((file) => file.path)));
    const match = this.matching.get(inode);
    if (match !== undefined) return this.claim(match.path, partition, inode);
    const beside = (await this.beside(dirname(path))).get(inode);
    return beside === undefined ? undefined : this.claim(beside.path, partition, inode);
  }

  private async claim(path: string, partition: string, inode?: string): Promise<Place | undefined> {
    if (this.claimed.has(path)) return undefined;
    const there = await glance(path, this.heads);
    if (there === undefined || !beginsAs(partition, there)) return undefined;
    if (inode !== undefined && there.seen.inode.toString(36) !== inode) return undefined;
    this.claimed.add(path);
    return { path, seen: there.seen, isWhole: there.isWhole };
  }

  private async beside(folder: string): Promise<Places> {
    const known = this.folders.get(folder) ?? inBase36(await filesOf(folder));
    this.folders.set(folder, known);
    return known;
  }
}

const MOST_TRIES = 5;
const BUSY_MS = 5;
const RECENT_MS = 1000;

/** Whether files were renamed in it a moment ago. */
async function isBusy(folder: string): Promise<boolean> {
  const modified = await modifiedOf(folder);
  return modified !== undefined && Date.now() - Number(modified / 1_000_000n) < RECENT_MS;
}

const inBase36 = (files: ReadonlyMap<bigint, PlacedFile>): Places =>
  new Map([...files].map(([inode, file]) => [inode.toString(36), file]));
