import { join as joinPath } from 'node:path';
import { StreamsqlError } from '../../base/errors.ts';
import type { DiskFile } from '../checkpoint/disk.ts';
import { tailOf, wholeFrames } from './frame.ts';
import type { LogDisk } from './memory-disk.ts';

/** The version of what is written here. */
const FORMAT = 1;
/** Of the first line, bytes; what is noted may take an eighth of it, for JSON writes some characters as six. */
const MOST_HEAD = 1 << 22;
export const MOST_NOTED = MOST_HEAD / 8;
const LF = 10;

/**
 * One file of a log: a line of JSON, and then frames. Its name says the position of its first frame and the number of records
 * before it.
 */
export class LogSegment {
  readonly path: string;
  readonly position: number;
  readonly ordinal: number;
  readonly head: string | undefined;
  private readonly file: DiskFile;
  /** Where the frames begin in the file. */
  private readonly offset: number;
  private isChecked = false;

  private constructor(at: SegmentName, path: string, file: DiskFile, offset: number, head: string | undefined) {
    this.position = at.position;
    this.ordinal = at.ordinal;
    this.path = path;
    this.file = file;
    this.offset = offset;
    this.head = head;
  }

  /** A new one; it is there for good once it and its folder are synced. */
  static async create(disk: LogDisk, folder: string, at: SegmentName, head: string | undefined): Promise<LogSegment> {
    const path = joinPath(folder, `${String(at.position).padStart(16, '0')}-${at.ordinal}.log`);
    const file = await disk.openFile(path);
    const line = Buffer.from(`${JSON.stringify({ format: FORMAT, ...(head !== undefined && { head }) })}\n`);
    try {
      await file.truncate(0);
      await file.append([line]);
    } catch (error) {
      await file.close();
      throw error;
    }
    const made = new LogSegment(at, path, file, line.length, head);
    made.isChecked = true;
    return made;
  }

  /** Undefined where an outage left less than its first line. Throws STATE where it is not only that. */
  static async open(disk: LogDisk, folder: string, name: string): Promise<LogSegment | undefined> {
    const at = segmentName(name);
    if (at === undefined) return undefined;
    const path = joinPath(folder, name);
    const file = await disk.openFile(path);
    const start = Buffer.alloc(Math.min(MOST_HEAD, file.size));
    const read = await file.read(0, start);
    const line = start.subarray(0, start.subarray(0, read).indexOf(LF) + 1);
    const said = parsed(line.toString());
    if (said?.format === FORMAT) return new LogSegment(at, path, file, line.length, said.head);
    const holdsFrames = (await tailOf(file, 0)) === 'damaged';
    await file.close();
    if (said !== undefined)
      throw new StreamsqlError('STATE', `${path} is of another version of streamsql: format ${String(said.format)}`, {
        hint: 'go on with that version, or start again from the beginning with --fresh',
      });
    if (holdsFrames) throw damaged(path, 0);
    return undefined;
  }

  get end(): number {
    return this.position + this.file.size - this.offset;
  }

  /**
   * Cuts off what an outage left of an append; the records that are in it. `aside`: gets what was cut off where that may be damage.
   * Throws STATE where it certainly is.
   */
  async restore(aside: (cut: Buffer) => Promise<void>): Promise<number> {
    const { end, records } = await wholeFrames(this.file, this.offset);
    if (end < this.file.size) {
      const tail = await tailOf(this.file, end);
      if (tail === 'damaged') throw damaged(this.path, end);
      if (tail === 'unclear') {
        const cut = Buffer.alloc(this.file.size - end);
        await this.file.read(end, cut);
        await aside(cut);
      }
      await this.file.truncate(end);
    }
    await this.file.sync();
    this.isChecked = true;
    return records;
  }

  /** Of one that another follows: throws STATE where it is not whole. */
  async check(): Promise<void> {
    if (this.isChecked) return;
    const { end } = await wholeFrames(this.file, this.offset);
    if (end < this.file.size) throw damaged(this.path, end);
    this.isChecked = true;
  }

  append = (bytes: readonly Uint8Array[]): Promise<void> => this.file.append(bytes);
  sync = (): Promise<void> => this.file.sync();
  close = (): Promise<void> => this.file.close();
  read = (position: number, into: Uint8Array): Promise<number> =>
    this.file.read(this.offset + position - this.position, into);
}

export interface SegmentName {
  readonly position: number;
  readonly ordinal: number;
}

export function segmentName(name: string): SegmentName | undefined {
  const found = /^(\d{16})-(\d+)\.log$/.exec(name);
  return found === null ? undefined : { position: Number(found[1]), ordinal: Number(found[2]) };
}

const damaged = (path: string, at: number): StreamsqlError =>
  new StreamsqlError('STATE', `${path} is damaged at byte ${at}: it held records that were acknowledged`, {
    hint: 'put the file back as it was, or start again from the beginning with --fresh, which removes the state',
  });

function parsed(line: string): { readonly format: unknown; readonly head?: string } | undefined {
  try {
    const said = JSON.parse(line) as { readonly format?: unknown; readonly head?: unknown };
    if (said.format === undefined) return undefined;
    return { format: said.format, ...(typeof said.head === 'string' && { head: said.head }) };
  } catch {
    return undefined;
  }
}
