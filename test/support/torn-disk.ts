import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { realDisk, type Disk } from '../../src/connectors/sinks/file/disk.ts';

/** The power went. Nothing that is asked for afterwards happens. */
export class PowerCut extends Error {}

interface Change {
  /** Whose sync makes it stay. */
  readonly folder: string;
  undo(): void;
}

/**
 * A disk that loses power at its n-th operation, and then whatever was not synced: in each folder the changes of names from some
 * point on, unless the folder was synced after them, and the content of files that were not. Files are known by their inodes, so that a file
 * that moved on is still found; what is removed is kept elsewhere, so that no inode is used again.
 */
export class TornDisk implements Disk {
  /** Called after each change of names, as a reader might look at any moment. */
  onChange: () => void = () => undefined;
  private readonly root: string;
  private readonly trash: string;
  private readonly random: (below: number) => number;
  private changes: Change[] = [];
  private readonly synced = new Set<number>();
  private left = Infinity;
  private trashed = 0;

  constructor(root: string, trash: string, random: (below: number) => number) {
    this.root = root;
    this.trash = trash;
    this.random = random;
    mkdirSync(trash, { recursive: true });
  }

  cutAfter(operations: number): void {
    this.left = operations;
  }

  /** Only the process ended: all that it asked for is there, and is still not for good. */
  restart(): void {
    this.left = Infinity;
  }

  /** What is there when the power is back. */
  tear(): void {
    const kept = new Map<string, number>();
    for (const [folder, changes] of Map.groupBy(this.changes, (change) => change.folder))
      kept.set(folder, this.random(changes.length + 1));
    const lost = this.changes.filter(({ folder }) => {
      const left = kept.get(folder) ?? 0;
      kept.set(folder, left - 1);
      return left <= 0;
    });
    for (const change of lost.reverse()) change.undo();
    this.changes = [];
    for (const path of this.files(this.root)) {
      const { ino, size } = statSync(path);
      if (!this.synced.has(ino)) truncateSync(path, this.random(size + 1));
      this.synced.add(ino);
    }
    this.left = Infinity;
  }

  /** Something else than the sink, DuckDB, writes below a path. */
  async written(path: string, work: () => Promise<void>): Promise<void> {
    this.operation();
    const before = new Set(this.all(this.root).map((one) => statSync(one).ino));
    await work();
    for (const one of [path, ...this.all(path)]) {
      const { ino } = statSync(one);
      this.synced.delete(ino);
      if (!before.has(ino)) this.made(one, ino);
    }
    this.operation();
  }

  async makeFolder(path: string): Promise<void> {
    if (existsSync(path)) return;
    await this.makeFolder(dirname(path));
    this.operation();
    mkdirSync(path);
    this.made(path, statSync(path).ino);
    await this.syncFolder(dirname(path));
  }

  async write(path: string, text: string): Promise<void> {
    this.operation();
    const known = existsSync(path);
    writeFileSync(path, text);
    const { ino } = statSync(path);
    this.synced.delete(ino);
    if (!known) this.made(path, ino);
    this.operation();
  }

  sync(path: string): Promise<void> {
    this.operation();
    this.synced.add(statSync(path).ino);
    return Promise.resolve();
  }

  syncFolder(path: string): Promise<void> {
    this.operation();
    statSync(path);
    this.changes = this.changes.filter(({ folder }) => folder !== path);
    return Promise.resolve();
  }

  async rename(from: string, to: string): Promise<void> {
    this.operation();
    const { ino } = statSync(from);
    const over = existsSync(to) && !statSync(to).isDirectory() ? this.throwAway(to) : undefined;
    await realDisk.rename(from, to);
    this.change(dirname(to), () => {
      const now = this.find(ino);
      if (now === undefined) return;
      if (existsSync(dirname(from))) renameSync(now, from);
      else rmSync(now, { recursive: true });
      if (over !== undefined && existsSync(dirname(to))) renameSync(over, to);
    });
  }

  async remove(path: string): Promise<void> {
    this.operation();
    if (!existsSync(path)) return;
    const kept = this.throwAway(path);
    this.change(dirname(path), () => {
      if (existsSync(dirname(path)) && !existsSync(path)) renameSync(kept, path);
    });
    await Promise.resolve();
  }

  async removeEmpty(path: string): Promise<void> {
    this.operation();
    await realDisk.removeEmpty(path);
  }

  list = (path: string): ReturnType<Disk['list']> => this.reading(() => realDisk.list(path));
  read = (path: string): ReturnType<Disk['read']> => this.reading(() => realDisk.read(path));
  measure = (path: string): ReturnType<Disk['measure']> => this.reading(() => realDisk.measure(path));

  private reading<T>(work: () => Promise<T>): Promise<T> {
    if (this.left <= 0) throw new PowerCut();
    return work();
  }

  private operation(): void {
    if (--this.left < 0) throw new PowerCut();
  }

  private made(path: string, ino: number): void {
    this.change(dirname(path), () => {
      const now = this.find(ino);
      if (now !== undefined) rmSync(now, { recursive: true });
    });
  }

  private change(folder: string, undo: () => void): void {
    this.changes.push({ folder, undo });
    this.onChange();
  }

  private throwAway(path: string): string {
    const kept = join(this.trash, String(this.trashed++));
    renameSync(path, kept);
    return kept;
  }

  private find(ino: number): string | undefined {
    return this.all(this.root).find((path) => statSync(path).ino === ino);
  }

  private files(path: string): readonly string[] {
    return this.all(path).filter((one) => !statSync(one).isDirectory());
  }

  private all(path: string): readonly string[] {
    if (!existsSync(path) || !statSync(path).isDirectory()) return [];
    return readdirSync(path).flatMap((name) => [join(path, name), ...this.all(join(path, name))]);
  }
}
