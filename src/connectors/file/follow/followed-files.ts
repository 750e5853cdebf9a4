import { dirname, resolve } from 'node:path';
import type { Chunk, SourceContext } from '../../../base/connector.ts';
import { checkFolders, matchingFiles, type FoundFile } from '../glob.ts';
import { isFinished, passGone, passShorter, type ListedFile } from '../listed-files.ts';
import type { Span } from '../../../base/errors.ts';
import { FollowedFile, type Content, type Followed } from './followed-file.ts';
import { GrowingStream } from './growing-stream.ts';
import { beginningOf, beginsAs, modifiedOf, partitionName, statOf, type FileStat, type Heads } from './identity.ts';
import { OpenFiles } from './open-files.ts';
import { inodesBeside, resumedFiles } from './resumed.ts';
import { FolderWatch } from './watch.ts';

export interface FollowSettings {
  readonly patterns: string;
  readonly cwd: string;
  readonly span: Span;
  readonly heads: Heads;
  /** How often is looked for what no watch tells, ms. */
  readonly intervalMs: number;
  /** What is read of a file that is whole, or not there. */
  whole(listed: ListedFile, index: number): Promise<Content>;
  growing(listed: ListedFile, index: number, open: () => Promise<GrowingStream>): Content;
}

/** A file that matches and is not in the list yet. */
interface Candidate {
  readonly file: FoundFile;
  readonly seen: FileStat;
  /** There was no record in it yet. */
  isTried: boolean;
}

/** Files that changed in the last minute are looked at in each round, but not more than these, and so many of the others. */
const ACTIVE_MS = 60_000;
const ACTIVE = 64;
const OTHERS = 32;
/** Rounds after which the folders are read whether or not they seem to have changed. */
const FULL_ROUNDS = 30;
const GRACE_ROUNDS = 5;
const NOTICE_MS = 10_000;

/** The list of files, kept as the folders change. */
export class FollowedFiles {
  /** It only grows. */
  readonly list: FollowedFile[] = [];
  private readonly settings: FollowSettings;
  private readonly context: SourceContext;
  private readonly shared: Followed;
  private readonly watch = new FolderWatch();
  private readonly opened = new OpenFiles();
  /** By where they are, those that are where it is known. */
  private readonly byPath = new Map<string, FollowedFile>();
  private readonly byInode = new Map<bigint, FollowedFile>();
  private readonly waiting = new Map<string, Candidate>();
  /** What matched when the folders were read last. */
  private matched = new Map<string, FoundFile>();
  private folderTimes = new Map<string, bigint | undefined>();
  private nextRound = 0;
  private rounds = 0;
  private turn = 0;
  private noticeUntil = 0;

  constructor(settings: FollowSettings, context: SourceContext) {
    this.settings = settings;
    this.context = context;
    this.shared = { latest: undefined, graceMs: GRACE_ROUNDS * settings.intervalMs };
  }

  /** Finds the files that were known again, and lists the others that are there. */
  async open(): Promise<void> {
    const { patterns, cwd, span, heads } = this.settings;
    if (this.context.resume === undefined) await checkFolders(patterns, cwd, span);
    await this.readFolders();
    const resumed = await resumedFiles(this.context, [...this.matched.values()], cwd, heads);
    for (const { partition, listed, seen, isWhole } of resumed) await this.resume(partition, listed, seen, isWhole);
    await this.examineAll(this.matched.keys());
    const byName = [...this.waiting.values()].sort((a, b) => (a.file.name < b.file.name ? -1 : 1));
    for (const candidate of byName) await this.add(candidate);
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
    const open = async (): Promise<GrowingStream> => {
      const stream = await GrowingStream.open(place);
      if (made.file !== undefined) made.file.stream = stream;
      return stream;
    };
    const placed = { ...listed, file: place };
    const content = isWhole ? await this.settings.whole(placed, index) : this.settings.growing(placed, index, open);
    const known = seen ?? { inode: -1n, size: 0, modified: 0n };
    return (made.file = new FollowedFile(name, listed, known, { content, isWhole }, this.shared));
  } // prettier-ignore

  private enlist(file: FollowedFile, seen: FileStat | undefined): void {
    this.list.push(file);
    if (seen === undefined || file.path === undefined) return;
    this.byPath.set(file.path, file);
    this.byInode.set(seen.inode, file);
  }

  /** Those that wait to be listed, in the order in which they were written. */
  candidates(): readonly Candidate[] {
    const all = [...this.waiting.values()].filter(({ isTried }) => !isTried);
    return all.sort((a, b) => Number(a.seen.modified - b.seen.modified) || (a.file.name < b.file.name ? -1 : 1));
  }

  /** Lists a file, unless there is too little in it yet. */
  private async add(candidate: Candidate): Promise<void> {
    const found = await this.ofCandidate(candidate);
    if (found === undefined) return;
    this.waiting.delete(candidate.file.path);
    this.enlist(found, candidate.seen);
  }

  /**
   * Lists a file with the first records that are read of it: the list is in the order in which the epochs' log names the
   * files, so that it comes out the same when they are done again.
   */
  async begin(candidate: Candidate, most: number): Promise<readonly Chunk[]> {
    const found = await this.ofCandidate(candidate);
    const chunks = found === undefined || found.done ? [] : await found.next(most);
    if (found === undefined || chunks.length === 0) {
      await found?.rest();
      return [];
    }
    this.waiting.delete(candidate.file.path);
    this.enlist(found, candidate.seen);
    this.shared.latest = found;
    await this.opened.use(found);
    return chunks;
  }

  private async ofCandidate(candidate: Candidate): Promise<FollowedFile | undefined> {
    const { file, seen } = candidate;
    const { heads } = this.settings;
    const beginning = seen.size === 0 ? undefined : await beginningOf(file.path, heads);
    candidate.isTried = true;
    if (beginning === undefined) return undefined;
    const listed = { file, isThere: true, position: 0, ordinal: 0, end: undefined };
    return this.made(this.newName(file, seen, beginning.crc), listed, seen, beginning.isWhole);
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
    const news = this.watch.take();
    const now = performance.now();
    const isRound = now >= this.nextRound;
    if (!isRound && !news.listChanged && news.touched.size === 0) return;
    const paths = new Set<string>();
    const relevant = (path: string): boolean => this.byPath.has(path) || this.matched.has(path);
    if (news.listChanged || (isRound && (await this.foldersChanged()))) {
      const before = this.matched;
      await this.readFolders();
      for (const path of this.matched.keys()) if (!this.byPath.has(path)) paths.add(path);
      for (const path of before.keys()) if (!this.matched.has(path)) paths.add(path);
    }
    for (const path of news.touched) if (relevant(path)) paths.add(path);
    if (isRound) for (const path of this.round(now)) paths.add(path);
    await this.examineAll(paths);
    if (!isRound) return;
    this.nextRound = performance.now() + this.settings.intervalMs;
    await this.opened.close(now - ACTIVE_MS);
    if (now > this.noticeUntil) this.tellWhenNone();
  }

  /** What is looked at though nobody said that it changed. */
  private round(now: number): readonly string[] {
    const paths: string[] = [];
    const others = [...this.waiting.keys()];
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

  private async foldersChanged(): Promise<boolean> {
    if (++this.rounds % FULL_ROUNDS === 0 || this.matched.size === 0) return true;
    for (const [folder, time] of this.folderTimes) if ((await modifiedOf(folder)) !== time) return true;
    return false;
  }

  private async readFolders(): Promise<void> {
    const { files, folders } = await matchingFiles(this.settings.patterns, this.settings.cwd);
    this.watch.follow(folders);
    this.folderTimes = new Map();
    for (const folder of folders) this.folderTimes.set(folder, await modifiedOf(folder));
    this.matched = new Map(files.map((file) => [file.path, file]));
  }

  private async examineAll(paths: Iterable<string>): Promise<void> {
    for (const path of paths) await this.examine(path);
    for (const file of this.list) if (file.path === undefined && !file.isOver) await this.lookAtLost(file);
  }

  private async examine(path: string): Promise<void> {
    const seen = await statOf(path);
    const known = this.byPath.get(path);
    if (seen === undefined) {
      this.waiting.delete(path);
      if (known !== undefined) this.lose(known);
      return;
    }
    if (known !== undefined && known.inode !== seen.inode) this.lose(known);
    else if (known !== undefined) {
      if (!known.isWhole && known.hasChanged(seen) && !(await this.isAsItWas(known, path, seen))) await this.cut(known, path, seen);
      else known.saw(seen);
      return;
    }
    const renamed = this.byInode.get(seen.inode);
    if (renamed !== undefined && (renamed.isWhole || (await this.isAsItWas(renamed, path, seen)))) this.moveTo(renamed, path, seen);
    else this.hold(path, seen);
  } // prettier-ignore

  /** Whether it begins as it did, and is not shorter than what was read of it. */
  private async isAsItWas(file: FollowedFile, path: string, seen: FileStat): Promise<boolean> {
    if (seen.size < file.position) return false;
    const beginning = await beginningOf(path, this.settings.heads);
    return beginning !== undefined && beginsAs(file.name, beginning);
  }

  private hold(path: string, seen: FileStat): void {
    const file = this.matched.get(path);
    const known = this.waiting.get(path)?.seen;
    const isAsItWas = known?.inode === seen.inode && known.size === seen.size && known.modified === seen.modified;
    if (file !== undefined && !isAsItWas) this.waiting.set(path, { file, seen, isTried: false });
  }

  /** It is not where it was. */
  private lose(file: FollowedFile): void {
    if (file.path !== undefined && this.byPath.get(file.path) === file) this.byPath.delete(file.path);
    file.path = undefined;
    file.isMoved = true;
    file.isSought = false;
  }

  private moveTo(file: FollowedFile, path: string, seen: FileStat): void {
    this.lose(file);
    file.path = path;
    this.byPath.set(path, file);
    this.waiting.delete(path);
    file.saw(seen);
  }

  /** A file that is not where it was: it is under another name, or only open, or gone. */
  private async lookAtLost(file: FollowedFile): Promise<void> {
    if (!file.isSought && (await this.foundBeside(file))) return;
    file.isSought = true;
    if (file.stream?.isOpen === true) {
      const { size, isThere } = await file.stream.look();
      if (size > file.size) file.saw({ size, modified: -1n });
      if (isThere || file.unread) return;
    } else if (file.isWhole && file.unread) return;
    else if (file.unread) passGone({ ...file.listed, position: file.position, end: file.end }, 'byte', this.context);
    this.forget(file);
    await file.give();
  }

  private async foundBeside(file: FollowedFile): Promise<boolean> {
    const beside = (await inodesBeside(dirname(file.listed.file.path))).get(file.inode.toString(36));
    const seen = beside === undefined ? undefined : await statOf(beside);
    if (beside === undefined || seen === undefined) return false;
    if (!file.isWhole && !(await this.isAsItWas(file, beside, seen))) return false;
    this.moveTo(file, beside, seen);
    return true;
  }

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
    this.context.notice(this.matched.size > 0 ? undefined : `waiting for ${this.settings.patterns}: there is none yet`);
  }

  async wait(ms: number): Promise<void> {
    await this.watch.until(Math.min(ms, this.nextRound - performance.now()), this.context.signal);
  }

  async close(): Promise<void> {
    this.watch.close();
    for (const file of this.list) await file.rest();
  }
}
