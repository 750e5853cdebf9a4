import { join as joinPath } from 'node:path';
import { StreamsqlError } from '../../base/errors.ts';
import type { Fault } from '../../base/fault.ts';
import type { IntakePartition } from '../../base/intake.ts';
import { framed } from './frame.ts';
import type { LogDisk } from './memory-disk.ts';
import { LogSegment, MOST_NOTED, segmentName } from './segment.ts';

export interface LogHost {
  readonly disk: LogDisk;
  readonly fault: Fault;
  /** Where a file of the log is long enough, bytes. */
  readonly segmentBytes: number;
  warn(message: string): void;
}

/** One append that is not there for good yet. */
interface Waiting {
  readonly bytes: readonly Uint8Array[];
  readonly size: number;
  readonly records: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** The log of one partition, in a folder of its own: files one after another, of which the last one grows. */
export class PartitionLog implements IntakePartition {
  head: string | undefined;
  end = 0;
  underway = 0;
  private readonly host: LogHost;
  private readonly folder: string;
  private readonly name: string;
  private segments: LogSegment[] = [];
  private records = 0;
  private waiting: Waiting[] = [];
  private committing: Promise<void> | undefined;
  private failure: unknown;

  private constructor(host: LogHost, folder: string, name: string) {
    this.host = host;
    this.folder = folder;
    this.name = name;
  }

  /** What is there of it, without what an outage left half done, and synced: it may be used. */
  static async open(host: LogHost, folder: string, name: string): Promise<PartitionLog> {
    const log = new PartitionLog(host, folder, name);
    await host.disk.makeFolder(folder);
    try {
      await log.restore();
    } catch (error) {
      for (const segment of log.segments) await segment.close();
      throw error;
    }
    return log;
  }

  get start(): { readonly position: number; readonly ordinal: number } {
    const [first] = this.segments;
    return first === undefined
      ? { position: this.end, ordinal: this.records }
      : { position: first.position, ordinal: first.ordinal };
  }

  note(head: string): void {
    if (this.segments.length > 0) throw new StreamsqlError('INTERNAL', `the log of ${this.name} has begun already`);
    if (head.length > MOST_NOTED)
      throw new StreamsqlError('SOURCE', `${this.name} begins with a header of ${head.length} characters`);
    this.head = head;
  }

  append(bytes: readonly Uint8Array[], records: number): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failed());
    const size = bytes.reduce((sum, piece) => sum + piece.length, 0);
    this.underway += size;
    return new Promise((resolve, reject) => {
      this.waiting.push({ bytes, size, records, resolve, reject });
      this.committing ??= this.commitAll();
    });
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    const segment = this.segments.findLast((each) => each.position <= position);
    const wanted = Math.min(into.length, this.end - position);
    if (wanted <= 0) return 0;
    if (segment === undefined) throw new StreamsqlError('INTERNAL', `${this.name} has nothing at ${position} any more`);
    return segment.read(position, into.subarray(0, wanted));
  }

  /** Files that end at or before a position go; the last one stays, for it says where the log goes on. */
  async forget(before: number): Promise<void> {
    while ((this.segments[1]?.position ?? Infinity) <= before) {
      const [first] = this.segments.splice(0, 1);
      await first?.close();
      if (first !== undefined) await this.host.disk.remove(first.path);
    }
  }

  async check(from: number): Promise<void> {
    for (const segment of this.segments) if (segment.end > from) await segment.check();
  }

  async close(): Promise<void> {
    await this.committing;
    this.failure ??= new Error('the run is over');
    for (const segment of this.segments) await segment.close();
  }

  private async restore(): Promise<void> {
    const { disk } = this.host;
    const names = (await disk.list(this.folder)).filter((name) => segmentName(name) !== undefined).sort();
    let last: LogSegment | undefined;
    for (let name = names.pop(); name !== undefined && last === undefined;) {
      last = await LogSegment.open(disk, this.folder, name);
      if (last === undefined) {
        await disk.remove(joinPath(this.folder, name));
        name = names.pop();
      }
    }
    if (last === undefined) return;
    const { path } = last;
    this.segments = [last];
    this.records = last.ordinal + (await last.restore((cut) => this.putAside(path, cut)));
    this.head = last.head;
    this.end = last.end;
    // What is not followed on without a hole had been removed, and came back with the power.
    for (let before = names.pop(); before !== undefined; before = names.pop()) {
      const segment = await this.older(before);
      if (segment === 'damaged') break;
      if (segment?.end === this.segments[0]?.position && segment !== undefined) this.segments.unshift(segment);
      else {
        await segment?.close();
        for (const name of [before, ...names.splice(0)]) await disk.remove(joinPath(this.folder, name));
      }
    }
    await disk.syncFolder(this.folder);
  }

  /** One that nothing goes on from may be damaged. */
  private async older(name: string): Promise<LogSegment | undefined | 'damaged'> {
    try {
      return await LogSegment.open(this.host.disk, this.folder, name);
    } catch (error) {
      if (!(error instanceof StreamsqlError)) throw error;
      this.host.warn(error.message);
      return 'damaged';
    }
  }

  /** What was not synced when the power went may be anything; so may be what a disk has damaged since. */
  private async putAside(path: string, cut: Buffer): Promise<void> {
    const { disk } = this.host;
    const aside = `${path}.${Date.now().toString(36)}.cut`;
    const file = await disk.openFile(aside);
    await file.truncate(0);
    await file.append([cut]);
    await file.sync();
    await file.close();
    this.host.warn(`the last ${cut.length} bytes of the log of ${this.name} are not whole, as after an outage of the machine: they are left out, and kept in ${aside}`);
  } // prettier-ignore

  /** All that waits is written, and then synced once, again and again until nothing waits. */
  private async commitAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.waiting;
      this.waiting = [];
      try {
        if (this.failure !== undefined) throw this.failure;
        await this.commit(group);
        for (const each of group) each.resolve();
      } catch (error) {
        // What a sync that failed has left on the disk nobody knows.
        this.failure ??= error;
        for (const each of group) each.reject(this.failed());
      }
      for (const { size } of group) this.underway -= size;
    }
    this.committing = undefined;
  }

  private async commit(group: readonly Waiting[]): Promise<void> {
    const { disk, fault, segmentBytes } = this.host;
    let last = this.segments.at(-1);
    const isNew = last === undefined || last.end - last.position >= segmentBytes;
    if (last === undefined || isNew) {
      last = await LogSegment.create(disk, this.folder, { position: this.end, ordinal: this.records }, this.head);
    }
    const records = group.reduce((sum, each) => sum + each.records, 0);
    try {
      await last.append(framed(group.flatMap(({ bytes }) => bytes), records));
      fault('intake-written');
      await last.sync();
      if (isNew) await disk.syncFolder(this.folder);
    } catch (error) {
      if (isNew) await last.close();
      throw error;
    }
    if (isNew) this.segments.push(last);
    fault('intake-synced');
    this.end = last.end;
    this.records += records;
  } // prettier-ignore

  private failed(): StreamsqlError {
    const reason = this.failure instanceof Error ? this.failure.message : String(this.failure);
    return new StreamsqlError('SOURCE', `what ${this.name} brings cannot be kept: ${reason}`, { cause: this.failure });
  }
}
