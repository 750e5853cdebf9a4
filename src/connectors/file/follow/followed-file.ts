import type { Chunk, PartitionState } from '../../../base/connector.ts';
import { shorterFile, type ListedFile } from '../listed-files.ts';
import type { GrowingStream } from './growing-stream.ts';
import type { FileStat } from './identity.ts';

/** What is read of a file. */
export interface Content {
  readonly position: number;
  readonly end: number | undefined;
  /** Of a file that is whole: all is read. */
  readonly done: boolean;
  /** None where there are no more now. */
  next(most: number, stop: number): Promise<readonly Chunk[]>;
  peek(): Promise<Chunk | undefined>;
  close(): Promise<void>;
}

/** What the files of a source share. */
export interface Followed {
  /** The one that was read last: it is not done, for then nothing would say how far the source is. */
  latest: FollowedFile | undefined;
  /** Waiting for a file that has another name now, after it was last written to, ms. */
  readonly graceMs: number;
  /** How often it was looked at what has happened. */
  looks: number;
}

export interface FollowedContent {
  readonly content: Content;
  readonly isWhole: boolean;
}

/** A file and what is known of it, whatever it is called by now. */
export class FollowedFile implements PartitionState {
  readonly name: string;
  readonly listed: ListedFile;
  readonly away = false;
  readonly isWhole: boolean;
  /** Where it is now; undefined where that is not known. */
  path: string | undefined;
  readonly inode: bigint;
  size: number;
  /** There is more than has been looked at. */
  unread: boolean;
  /** It has another name by now, so its writer will go on in another file. */
  isMoved = false;
  /** How often it has been looked for beside where it was. */
  sought = 0;
  /** Nothing of it can be read any more. */
  isOver = false;
  /** The open file, of one that may be written to. */
  stream: GrowingStream | undefined;
  /** When it was seen to have changed, by the clock of the process, ms. */
  changedAt: number;
  modified: bigint;
  private readonly content: Content;
  private readonly shared: Followed;

  constructor(name: string, listed: ListedFile, seen: FileStat, { content, isWhole }: FollowedContent, shared: Followed) {
    this.name = name;
    this.listed = listed;
    this.path = listed.file.path;
    this.inode = seen.inode;
    this.size = seen.size;
    this.modified = seen.modified;
    this.changedAt = performance.now() - Math.max(0, Date.now() - Number(seen.modified / 1_000_000n));
    this.content = content;
    this.shared = shared;
    this.isWhole = isWhole;
    this.unread = !content.done && (isWhole || seen.size > listed.position);
  } // prettier-ignore

  get initial(): number {
    return this.listed.position;
  }

  get position(): number {
    return this.content.position;
  }

  get end(): number | undefined {
    if (!this.unread || this.isOver) return this.position;
    return this.isWhole ? this.content.end : Math.max(this.size, this.position);
  }

  /** While nobody may read, nobody looks: what was its end then says nothing. */
  get answers(): number {
    return this.shared.looks;
  }

  get done(): boolean {
    if (this.shared.latest === this) return false;
    if (this.isOver || (this.isWhole && this.content.done)) return true;
    return this.isMoved && !this.unread && performance.now() - this.changedAt > this.shared.graceMs;
  }

  /** Whether it has changed since it was seen last. */
  hasChanged(seen: Pick<FileStat, 'size' | 'modified'>): boolean {
    return seen.size !== this.size || seen.modified !== this.modified;
  }

  saw(seen: Pick<FileStat, 'size' | 'modified'>): void {
    if (!this.hasChanged(seen)) return;
    if (seen.size > this.size) this.unread = true;
    this.changedAt = performance.now();
    this.size = seen.size;
    this.modified = seen.modified;
  }

  async next(most: number, stop = Infinity): Promise<readonly Chunk[]> {
    if (this.isOver) {
      if (stop === Infinity) return [];
      throw shorterFile(this.listed.file, this.position, stop, 'byte');
    }
    const chunks = await this.content.next(most, stop);
    if (stop === Infinity && (chunks.length === 0 || (this.isWhole && this.content.done))) this.unread = false;
    return chunks;
  }

  peek(): Promise<Chunk | undefined> {
    return this.isOver || !this.unread ? Promise.resolve(undefined) : this.content.peek();
  }

  /** Nothing of it is to be read any more. */
  async give(): Promise<void> {
    this.isOver = true;
    this.unread = false;
    this.path = undefined;
    await this.rest();
  }

  /** Closes the file until more is read of it. */
  async rest(): Promise<void> {
    await this.content.close();
    this.stream = undefined;
  }
}
