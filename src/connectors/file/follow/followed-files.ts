import { dirname, resolve } from 'node:path';
import type { Chunk, SourceContext } from '../../../base/connector.ts';
import type { ByteStream } from '../byte-stream.ts';
import { checkFolders, type FoundFile } from '../glob.ts';
import { isFinished, passGone, passShorter, type ListedFile } from '../listed-files.ts';
import type { Span } from '../../../base/errors.ts';
import { FollowedFile, type Content, type Followed } from './followed-file.ts';
import { GrowingStream, NOTHING } from './growing-stream.ts';
import { filesOf, isRotated, type PlacedFile } from './beside.ts';
import { Folders } from './folders.ts';
import { beginsAs, glance, partitionName, statOf, type FileStat, type Heads } from './identity.ts';
import { OpenFiles } from './open-files.ts';
import { resumedFiles } from './resumed.ts';
import { Waiting, type Candidate } from './waiting.ts';

export interface FollowSettings {
  readonly patterns: string;
  readonly cwd: string;
  readonly span: Span;
  readonly heads: Heads;
  /** How often is looked for what no watch tells, ms. */
  readonly intervalMs: number;
  /** What is read of a file that is whole, or not there. */
  whole(listed: ListedFile, index: number): Promise<Content>;
  growing(listed: ListedFile, index: number, open: () => Promise<ByteStream>): Content;
}

/** Files that changed in the last minute are looked at in each round, but not more than these, and so many of the others. */
const ACTIVE_MS = 60_000;
const ACTIVE = 64;
const OTHERS = 32;
const GRACE_ROUNDS = 5;
const NOTICE_MS = 10_000;
/** A file may be renamed while it is looked for. */
const MOST_SOUGHT = 3;

/** A file is not where it was, and not in the list yet. */
class Moved extends Error {}

/** The list of files, kept as the folders change. */
export class FollowedFiles {
  /** It only grows. */
  readonly list: FollowedFile[] = [];
  private readonly settings: FollowSettings;
  private readonly context: SourceContext;
  private readonly shared: Followed;
  private readonly folders: Folders;
  private readonly opened = new OpenFiles();
  /** By where they are, those that are where it is known. */
  private readonly byPath = new Map<string, FollowedFile>();
  private readonly byInode = new Map<bigint, FollowedFile>();
  private readonly waiting = new Waiting();
  private nextRound = 0;
  private turn = 0;
  private noticeUntil = 0;
  /** Paths to be looked at the next time. */
  private again = new Set<string>();

  constructor(settings: FollowSettings, context: SourceContext) {
    this.settings = settings;
    this.context = context;
    this.folders = new Folders(settings.patterns, settings.cwd);
    this.shared = { latest: undefined, graceMs: GRACE_ROUNDS * settings.intervalMs, looks: 0 };
  }

  /** Finds the files that were known again, and lists the others that are there. */
  async open(): Promise<void> {
    const { patterns, cwd, span, heads } = this.settings;
    if (this.context.resume === undefined) await checkFolders(patterns, cwd, span);
    await this.folders.read();
    const resumed = await resumedFiles(this.context, [...this.folders.matched.values()], cwd, heads);
    for (const { partition, listed, seen, isWhole } of resumed) await this.resume(partition, listed, seen, isWhole);
    await this.examineAll(this.folders.matched.keys());
    await this.lookForRotated();
    const { byName, inOrder } = this.waiting;
    for (const candidate of this.context.resume === undefined ? byName : inOrder) await this.add(candidate);
    this.shared.latest = this.list.at(-1);
    this.tellWhenNone();
    this.nextRound = performance.now() + this.settings.intervalMs;
  }

  private async resume(
    name: string,
    listed: ListedFile,
    seen: FileStat | undefined,
    looksWhole: boolean,
  ): Promise<void> {
    const isWhole = this.settings.heads.areWhole || looksWhole;
    const isCut = seen !== undefined && !isWhole && seen.size < listed.position;
    const file = await this.make(name, listed, seen, isWhole);
    if (seen !== undefined && !isCut) {
      file.isMoved = listed.file.path !== resolve(this.settings.cwd, listed.file.name);
      return;
    }
    if (isCut) this.sayCut(file);
    if (!isFinished(listed) && isCut) passShorter(listed, seen.size, 'byte', this.context);
    else if (!isFinished(listed) && !isWhole) passGone(listed, 'byte', this.context);
    this.forget(file);
    await file.give();
  }

  private async make(name: string, listed: ListedFile, seen: FileStat | undefined, isWhole: boolean): Promise<FollowedFile> {
    const file = await this.made(name, listed, seen, isWhole);
    this.enlist(file, seen);
    return file;
  } // prettier-ignore

  private async made(name: string, listed: ListedFile, seen: FileStat | undefined, isWhole: boolean): Promise<FollowedFile> {
    const index = this.list.length;
    const made: { file?: FollowedFile } = {};
    // Wherever it is by the time that it is opened.
    const place = { name: listed.file.name, get path() { return made.file?.path ?? listed.file.path; } };
    const open = (): Promise<ByteStream> => this.opener(made.file, place);
    const placed = { ...listed, file: place };
    const content = isWhole ? await this.settings.whole(placed, index) : this.settings.growing(placed, index, open);
    const known = seen ?? { inode: -1n, size: 0, modified: 0n };
    return (made.file = new FollowedFile(name, listed, known, { content, isWhole }, this.shared));
  } // prettier-ignore

  /** Opens a file wherever it is by now, and no other that has its name. Throws `Moved` where it is not in the list and not there. */
  private async opener(file: FollowedFile | undefined, place: FoundFile): Promise<ByteStream> {
    if (file === undefined) throw new Moved();
    for (let tries = 0; tries < MOST_SOUGHT; tries++) {
      const stream = await GrowingStream.open(place, file.inode);
      if (stream !== undefined) return (file.stream = stream);
      if (!this.list.includes(file)) throw new Moved();
      this.lose(file);
      if (!(await this.foundBeside(file))) break;
    }
    passGone({ ...file.listed, position: file.position, end: file.end }, 'byte', this.context);
    this.forget(file);
    file.isOver = true;
    return NOTHING;
  }

  private enlist(file: FollowedFile, seen: FileStat | undefined): void {
    this.list.push(file);
    if (seen === undefined || file.path === undefined) return;
    this.byPath.set(file.path, file);
    this.byInode.set(seen.inode, file);
  }

  /** Those that wait to be listed, in the order in which they were written. */
  get candidates(): readonly Candidate[] {
    return this.waiting.inOrder;
  }

  /** Lists a file, unless there is too little in it yet. */
  private async add(candidate: Candidate): Promise<void> {
    const found = await this.ofCandidate(candidate);
    if (found === undefined) return;
    this.waiting.drop(candidate.file.path);
    this.enlist(found, candidate.seen);
  }

  /**
   * Lists a file with the first records that are read of it: the list is in the order in which the epochs' log names the
   * files, so that it comes out the same when they are done again.
   */
  async begin(candidate: Candidate, most: number): Promise<readonly Chunk[]> {
    const found = await this.ofCandidate(candidate);
    const chunks = found === undefined || found.done ? [] : await this.firstOf(found, candidate, most);
    if (found === undefined || chunks.length === 0) {
      await found?.rest();
      return [];
    }
    this.waiting.drop(candidate.file.path);
    this.enlist(found, candidate.seen);
    this.shared.latest = found;
    await this.opened.use(found);
    return chunks;
  }

  private async firstOf(file: FollowedFile, candidate: Candidate, most: number): Promise<readonly Chunk[]> {
    try {
      return await file.next(most);
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
      await this.seek(candidate);
      return [];
    }
  }

  private async ofCandidate(candidate: Candidate): Promise<FollowedFile | undefined> {
    const { file, seen } = candidate;
    const there = await glance(file.path, this.settings.heads);
    if (there?.seen.inode !== seen.inode) {
      await this.seek(candidate);
      return undefined;
    }
    candidate.isTried = true;
    if (there.crc === undefined) return undefined;
    const listed = { file, isThere: true, position: 0, ordinal: 0, end: undefined };
    return this.made(this.newName(file, seen, there.crc), listed, seen, there.isWhole);
  }

  /** It has another name before it is in the list. */
  private async seek(candidate: Candidate): Promise<void> {
    const { file, seen } = candidate;
    if (this.waiting.at(file.path) === candidate) this.waiting.drop(file.path);
    this.again.add(file.path);
    const place = (await filesOf(dirname(file.path))).get(seen.inode);
    if (place !== undefined) this.waiting.put({ file: { name: file.name, path: place.path }, seen: place.seen });
  }

  private newName({ name }: FoundFile, { inode }: FileStat, crc: string): string {
    for (let generation = 1; ; generation++) {
      const suffix = generation === 1 ? '' : `-${generation}`;
      const made = partitionName({ name, inode: inode.toString(36), crc: crc + suffix });
      if (this.list.every((file) => file.name !== made)) return made;
    }
  }

  async read(file: FollowedFile, most: number): Promise<readonly Chunk[]> {
    const chunks = await file.next(most);
    if (chunks.length > 0) this.shared.latest = file;
    await this.opened.use(file);
    if (!file.unread && file.path === undefined) await this.lookAtLost(file);
    return chunks;
  }

  /** Takes in what has happened since: what the watch told, and once in a round what it did not. */
  async look(): Promise<void> {
    await this.lookAround();
    this.shared.looks++;
  }

  private async lookAround(): Promise<void> {
    const news = this.folders.watch.take();
    const now = performance.now();
    const isRound = now >= this.nextRound;
    if (!isRound && !news.listChanged && news.touched.size === 0 && this.again.size === 0) return;
    const paths = new Set<string>(this.again);
    this.again = new Set();
    const relevant = (path: string): boolean =>
      this.byPath.has(path) || this.folders.matched.has(path) || this.waiting.at(path) !== undefined;
    const isNew = news.listChanged || (isRound && (await this.folders.haveChanged()));
    if (isNew) {
      const before = this.folders.matched;
      await this.folders.read();
      for (const path of this.folders.matched.keys()) if (!this.byPath.has(path)) paths.add(path);
      for (const path of before.keys()) if (!this.folders.matched.has(path)) paths.add(path);
    }
    for (const path of news.touched) if (relevant(path)) paths.add(path);
    if (isRound) for (const path of this.round(now)) paths.add(path);
    await this.examineAll(paths);
    if (isNew) await this.lookForRotated();
    if (!isRound) return;
    this.nextRound = performance.now() + this.settings.intervalMs;
    await this.opened.close(now - ACTIVE_MS);
    if (now > this.noticeUntil) this.tellWhenNone();
  }

  /** What is looked at though nobody said that it changed. */
  private round(now: number): readonly string[] {
    const paths: string[] = [];
    const others = [...this.waiting.paths];
    for (const [path, file] of this.byPath) {
      if (file.isWhole) continue;
      if (now - file.changedAt < ACTIVE_MS && paths.length < ACTIVE) paths.push(path);
      else others.push(path);
    }
    for (let i = 0; i < Math.min(OTHERS, others.length); i++) {
      const path = others[this.turn++ % others.length];
      if (path !== undefined) paths.push(path);
    }
    return paths;
  }

  private async examineAll(paths: Iterable<string>): Promise<void> {
    for (const path of paths) await this.examine(path);
    for (const file of this.list) if (file.path === undefined && !file.isOver) await this.lookAtLost(file);
  }

  private async examine(path: string): Promise<void> {
    const seen = await statOf(path);
    const known = this.byPath.get(path);
    const waiting = this.waiting.at(path);
    if (waiting !== undefined && waiting.seen.inode !== seen?.inode) await this.seek(waiting);
    if (seen === undefined) {
      if (known !== undefined) this.lose(known);
      return;
    }
    if (known !== undefined && known.inode !== seen.inode) this.lose(known);
    else if (known !== undefined) {
      if (!known.isWhole && known.hasChanged(seen) && !(await this.isAsItWas(known, path))) await this.cut(known, path, seen);
      else known.saw(seen);
      return;
    }
    const renamed = this.byInode.get(seen.inode);
    if (renamed !== undefined && (renamed.isWhole || (await this.isAsItWas(renamed, path)))) this.moveTo(renamed, path, seen);
    else this.hold(path, seen);
  } // prettier-ignore

  /** Whether it begins as it did, and is not shorter than what was read of it; true of one that is not there just now. */
  private async isAsItWas(file: FollowedFile, path: string): Promise<boolean> {
    const there = await glance(path, this.settings.heads);
    if (there?.seen.inode !== file.inode) return true;
    return there.seen.size >= file.position && beginsAs(file.name, there);
  }

  private hold(path: string, seen: FileStat): void {
    const file = this.folders.matched.get(path) ?? this.waiting.at(path)?.file;
    if (file !== undefined) this.waiting.put({ file, seen });
  }

  /** It is not where it was. */
  private lose(file: FollowedFile): void {
    if (file.path !== undefined && this.byPath.get(file.path) === file) this.byPath.delete(file.path);
    file.path = undefined;
    file.isMoved = true;
    file.sought = 0;
  }

  private moveTo(file: FollowedFile, path: string, seen: FileStat): void {
    this.lose(file);
    const other = this.byPath.get(path);
    if (other !== undefined) this.lose(other);
    file.path = path;
    this.byPath.set(path, file);
    this.waiting.drop(path);
    file.saw(seen);
  }

  /** A file that is not where it was: it is under another name, or only open, or gone. */
  private async lookAtLost(file: FollowedFile): Promise<void> {
    if (file.sought < MOST_SOUGHT && (await this.foundBeside(file))) return;
    if (++file.sought < MOST_SOUGHT) return;
    if (file.stream?.isOpen === true) {
      const there = await file.stream.look();
      file.saw(there);
      if (there.isThere || file.unread) return;
    } else if (file.isWhole && file.unread) return;
    else if (file.unread) passGone({ ...file.listed, position: file.position, end: file.end }, 'byte', this.context);
    this.forget(file);
    await file.give();
  }

  private async foundBeside(file: FollowedFile): Promise<boolean> {
    const beside = (await filesOf(dirname(file.listed.file.path))).get(file.inode);
    if (beside === undefined || (!file.isWhole && !(await this.isAsItWas(file, beside.path)))) return false;
    this.moveTo(file, beside.path, beside.seen);
    return true;
  }

  /**
   * Files that had the name of one that is followed, and were renamed before anyone looked: those beside the last of it that are
   * called as rotated files are, and were written to later.
   */
  private async lookForRotated(): Promise<void> {
    const last = new Map<string, FollowedFile>();
    for (const file of this.list) {
      if (file.isMoved && !file.isWhole) last.set(resolve(this.settings.cwd, file.listed.file.name), file);
    }
    const folders = new Map<string, ReadonlyMap<bigint, PlacedFile>>();
    for (const [path, file] of last) {
      const folder = dirname(path);
      const there = folders.get(folder) ?? (await filesOf(folder));
      folders.set(folder, there);
      for (const { path: other, seen } of there.values())
        if (isRotated(other, path) && !this.folders.matched.has(other) && seen.modified >= file.modified && !this.byInode.has(seen.inode) && this.waiting.at(other) === undefined)
          this.waiting.put({ file: { name: file.listed.file.name, path: other }, seen });
    }
  } // prettier-ignore

  /** It was cut short and is written anew. */
  private async cut(file: FollowedFile, path: string, seen: FileStat): Promise<void> {
    if (file.unread) passShorter({ ...file.listed, position: file.position, end: file.end }, seen.size, 'byte', this.context);
    this.sayCut(file);
    this.forget(file);
    await file.give();
    this.hold(path, seen);
  } // prettier-ignore

  private forget(file: FollowedFile): void {
    if (file.path !== undefined && this.byPath.get(file.path) === file) this.byPath.delete(file.path);
    if (this.byInode.get(file.inode) === file) this.byInode.delete(file.inode);
  }

  private sayCut({ listed, position }: FollowedFile): void {
    this.context.notice(`${listed.file.name} was cut short after its first ${position} bytes were read: it is read anew from its start`);
    this.noticeUntil = performance.now() + NOTICE_MS;
  } // prettier-ignore

  private tellWhenNone(): void {
    this.context.notice(
      this.folders.matched.size > 0 ? undefined : `waiting for ${this.settings.patterns}: there is none yet`,
    );
  }

  async wait(ms: number): Promise<void> {
    await this.folders.watch.until(Math.min(ms, this.nextRound - performance.now()), this.context.signal);
  }

  async close(): Promise<void> {
    this.folders.watch.close();
    for (const file of this.list) await file.rest();
  }
}
