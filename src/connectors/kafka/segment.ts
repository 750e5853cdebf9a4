import type { OffsetRun, RejectedRecord } from '../../base/connector.ts';
import { joinChecks, type Check } from '../../base/crc32.ts';
import { checkOf, extendCheck } from '../check.ts';

const SEGMENT_BYTES = 1 << 20;
const SEGMENT_RECORDS = 1 << 13;

/** A run that still grows. */
interface GrowingRun {
  first: number;
  count: number;
}

/** Bytes of a segment, checked when they were written. */
interface Checked {
  readonly from: number;
  readonly to: number;
  readonly check: Check;
}

/** Bytes are checked soon after they were written, while the processor's cache has them: a third of the time. */
const CHECKED_BYTES = 1 << 16;

/** A rejected record, and where in the segment's bytes its line would stand. */
interface Rejected {
  readonly record: RejectedRecord;
  readonly at: number;
}

/**
 * A stretch of one partition's log as lines, one record each. The parser appends at the end, a poll takes from the
 * front; both only move forward, and the buffers are used again.
 */
export class Segment {
  readonly bytes: Buffer;
  /** Where the line of each record ends, its line feed included. */
  readonly ends: Uint32Array;
  /** Bytes and records written. */
  used = 0;
  records = 0;
  /** Records taken. */
  taken = 0;
  /** Offsets of the records not taken yet, `records - taken` in all. */
  runs: GrowingRun[] = [];
  /** Not taken yet, in order of offset. */
  private rejected: Rejected[] = [];
  private rejectedBytes = 0;
  /** One after the other, up to `checkedTo`; those taken whole are gone. */
  private checked: Checked[] = [];
  private checkedTo = 0;
  /** The offset after the last one that the segment covers: records, gaps and control records alike. */
  to = 0;

  constructor(bytes: number, records: number) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
    this.ends = new Uint32Array(records);
  }

  /** Bytes of what has not been taken. */
  get size(): number {
    return this.used - this.start + this.rejectedBytes;
  }

  get remaining(): number {
    return this.records - this.taken;
  }

  fits(bytes: number, records: number): boolean {
    return this.used + bytes <= this.bytes.length && this.records + records <= this.ends.length;
  }

  /** Where the first record not taken begins. */
  get start(): number {
    return this.taken === 0 ? 0 : (this.ends[this.taken - 1] ?? 0);
  }

  /** Counts one more record, whose line was just written up to `end`. */
  push(offset: number, end: number): void {
    this.ends[this.records++] = end;
    this.used = end;
    const run = this.runs.at(-1);
    if (run !== undefined && run.first + run.count === offset) run.count++;
    else this.runs.push({ first: offset, count: 1 });
  }

  /** Takes the offsets of the next `count` records away; `count` is at most `remaining`. */
  takeRuns(count: number): OffsetRun[] {
    let whole = 0;
    let left = count;
    for (let run = this.runs[0]; run !== undefined && run.count <= left; run = this.runs[++whole]) left -= run.count;
    const runs: OffsetRun[] = this.runs.splice(0, whole);
    const head = this.runs[0];
    if (left > 0 && head !== undefined) {
      runs.push({ first: head.first, count: left });
      this.runs[0] = { first: head.first + left, count: head.count - left };
    }
    this.taken += count;
    return runs;
  }

  /** How many of the records not taken are below an offset. */
  countBelow(offset: number): number {
    const last = this.runs.at(-1);
    if (last === undefined || last.first + last.count <= offset) return this.remaining;
    return this.runs.reduce((sum, { first, count }) => sum + Math.max(0, Math.min(count, offset - first)), 0);
  }

  /** Whether something beside records that could be taken is at an offset or beyond. */
  reaches(offset: number): boolean {
    return this.to > offset || (this.rejected.at(-1)?.record.offset ?? -1) >= offset;
  }

  /** Takes what was rejected below an offset away. */
  takeRejected(below = Infinity): readonly Rejected[] {
    const index = this.rejected.findIndex(({ record }) => record.offset >= below);
    const taken = this.rejected.splice(0, index === -1 ? this.rejected.length : index);
    for (const { record } of taken) this.rejectedBytes -= rejectedSize(record);
    return taken;
  }

  reject(record: RejectedRecord): void {
    this.checkNew(1);
    this.rejected.push({ record, at: this.used });
    this.rejectedBytes += rejectedSize(record);
  }

  /** Checks what was written since the last time, if it is so many bytes. */
  checkNew(least = CHECKED_BYTES): void {
    const [from, to] = [this.checkedTo, this.used];
    if (to - from < least) return;
    this.checked.push({ from, to, check: checkOf(this.bytes.subarray(from, to)) });
    this.checkedTo = to;
  }

  /** The check `before` with the lines of `bytes[start, end)` after it, and the payloads rejected among them. */
  check(before: Check, start: number, end: number, rejected: readonly Rejected[]): Check {
    let check = before;
    let from = start;
    for (const { record, at } of rejected) {
      check = this.checkLines(check, from, at);
      if (record.payload !== null) check = extendCheck(check, record.payload);
      from = at;
    }
    return this.checkLines(check, from, end);
  }

  private checkLines(before: Check, start: number, end: number): Check {
    let check = before;
    for (let at = start; at < end;) {
      const next = this.checked[0];
      const isWhole = next !== undefined && next.from === at && next.to <= end;
      const to = Math.min(end, next?.to ?? end);
      check = isWhole ? joinChecks(check, next.check) : extendCheck(check, this.bytes.subarray(at, to));
      if (next?.to === to) this.checked.shift();
      at = to;
    }
    return check;
  }

  clear(): void {
    this.used = this.records = this.taken = this.to = this.rejectedBytes = this.checkedTo = 0;
    this.checked = [];
    this.runs = [];
    this.rejected = [];
  }
}

const rejectedSize = (record: RejectedRecord): number => 64 + (record.payload?.byteLength ?? 0);

/** Segments to be used again: fresh pages cost more than the copy into them. */
export class SegmentPool {
  private readonly free: Segment[] = [];

  acquire(bytes: number, records: number): Segment {
    const index = this.free.findIndex((segment) => segment.fits(bytes, records));
    const found = index === -1 ? undefined : this.free.splice(index, 1)[0];
    return found ?? new Segment(Math.max(bytes, SEGMENT_BYTES), Math.max(records, SEGMENT_RECORDS));
  }

  release(segment: Segment): void {
    // Much larger than the usual ones: made for one large record, and not worth keeping.
    if (segment.bytes.length > 8 * SEGMENT_BYTES) return;
    segment.clear();
    this.free.push(segment);
  }
}
