import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { realDisk, type Disk, type DiskFile } from '../../src/exec/checkpoint/disk.ts';
import type { Random } from '../fuzz/random.ts';

/** Files of a folder, by their paths from there. */
export type Files = ReadonlyMap<string, Buffer>;

/** How a process ends: with the power of the machine, which takes along what was not synced, or alone. */
export type Ending = 'killed' | 'power cut';

/** All files in a folder and below. */
export function filesIn(root: string, folder = root): Files {
  const found = new Map<string, Buffer>();
  if (!existsSync(folder)) return found;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!statSync(path).isDirectory()) found.set(relative(root, path), readFileSync(path));
    else for (const [inner, bytes] of filesIn(root, path)) found.set(inner, bytes);
  }
  return found;
}

export function writeFiles(root: string, files: Files): void {
  mkdirSync(root, { recursive: true });
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
}

/**
 * The disk of a state folder that knows what would be there after a power cut: a name may be as it was when its folder was
 * last synced, the content of a file is certain when the file was synced, and else cut, emptied or garbage.
 */
export class FakeDisk implements Disk {
  private readonly root: string;
  /** Called before each change; throws where nothing happens any more. */
  private readonly step: () => void;
  /** What certainly is under the names, from the root; in a synced folder a name may be certain and its content not. */
  private readonly certain: Map<string, Buffer | 'unsynced'>;
  private readonly synced: Set<string>;
  /** Of files that were appended to since they were synced: how much of them was. */
  private readonly syncedBytes = new Map<string, number>();

  constructor(root: string, step: () => void) {
    this.root = root;
    this.step = step;
    this.certain = new Map(filesIn(root));
    this.synced = new Set(this.certain.keys());
  }

  /** What is there after the process has ended so. */
  image(ending: Ending, random: Random): Files {
    const now = filesIn(this.root);
    if (ending === 'killed') return now;
    const left = new Map<string, Buffer>();
    for (const path of new Set([...now.keys(), ...this.certain.keys()])) {
      const [is, was] = [now.get(path), this.certain.get(path)];
      const written =
        is === undefined || this.synced.has(path) ? is : damagedFrom(this.syncedBytes.get(path) ?? 0, is, random);
      const bytes = was === 'unsynced' || random.oneIn(2) ? written : was;
      if (bytes !== undefined) left.set(path, bytes);
    }
    return left;
  }

  async makeFolder(path: string): Promise<void> {
    this.step();
    await realDisk.makeFolder(path);
  }

  async write(path: string, text: string): Promise<void> {
    this.step();
    this.synced.delete(this.name(path));
    await realDisk.write(path, text);
    this.step();
  }

  async sync(path: string): Promise<void> {
    this.step();
    const name = this.name(path);
    this.synced.add(name);
    if (this.certain.get(name) === 'unsynced') this.certain.set(name, readFileSync(path));
    await Promise.resolve();
  }

  async syncFolder(path: string): Promise<void> {
    this.step();
    const inThere = (name: string): boolean => dirname(join(this.root, name)) === path;
    for (const name of this.certain.keys()) if (inThere(name)) this.certain.delete(name);
    for (const [name, bytes] of filesIn(this.root))
      if (inThere(name)) this.certain.set(name, this.synced.has(name) ? bytes : 'unsynced');
    await Promise.resolve();
  }

  async rename(from: string, to: string): Promise<void> {
    this.step();
    await realDisk.rename(from, to);
    if (this.synced.delete(this.name(from))) this.synced.add(this.name(to));
    else this.synced.delete(this.name(to));
    this.step();
  }

  async remove(path: string): Promise<void> {
    this.step();
    await realDisk.remove(path);
    this.synced.delete(this.name(path));
  }

  async openFile(path: string): Promise<DiskFile> {
    this.step();
    const name = this.name(path);
    const file = await realDisk.openFile(path);
    const changed = (kept: number): void => {
      if (this.synced.delete(name) || this.syncedBytes.has(name))
        this.syncedBytes.set(name, Math.min(kept, this.syncedBytes.get(name) ?? kept));
    };
    return {
      get size() {
        return file.size;
      },
      append: async (bytes) => {
        this.step();
        changed(file.size);
        await file.append(bytes);
        this.step();
      },
      truncate: async (size) => {
        this.step();
        changed(size);
        await file.truncate(size);
      },
      sync: async () => {
        await this.sync(path);
        this.syncedBytes.delete(name);
        if (this.certain.has(name)) this.certain.set(name, readFileSync(path));
      },
      read: (position, into) => file.read(position, into),
      close: () => file.close(),
    };
  }

  read = (path: string): Promise<string> => realDisk.read(path);
  measure = (path: string): ReturnType<Disk['measure']> => realDisk.measure(path);
  list = (path: string): ReturnType<Disk['list']> => realDisk.list(path);
  size = (path: string): ReturnType<Disk['size']> => realDisk.size(path);

  private name(path: string): string {
    return relative(this.root, path);
  }
}

const damagedFrom = (synced: number, bytes: Buffer, random: Random): Buffer =>
  Buffer.concat([bytes.subarray(0, synced), damaged(bytes.subarray(synced), random)]);

/** Of bytes that were written and not synced anything may be there. */
function damaged(bytes: Buffer, random: Random): Buffer {
  const kept = bytes.length === 0 ? 0 : random.int(0, bytes.length - 1);
  switch (random.pick(['whole', 'cut', 'empty', 'zeros', 'garbage'] as const)) {
    case 'whole':
      return bytes;
    case 'cut':
      return bytes.subarray(0, kept);
    case 'empty':
      return Buffer.alloc(0);
    case 'zeros':
      return Buffer.concat([bytes.subarray(0, kept), Buffer.alloc(bytes.length - kept)]);
    case 'garbage':
      return Buffer.concat([bytes.subarray(0, kept), Buffer.from(bytes.subarray(kept).map((byte) => byte ^ 0x55))]);
  }
}
