import type { OffsetRun, PartitionState, RejectedRecord } from '../../base/connector.ts';
import { NO_BYTES, type Check } from '../../base/crc32.ts';
import { AbortedTransactions } from './aborted.ts';
import type { Segment, SegmentPool } from './segment.ts';
import { nameOf } from './topics.ts';

/** What a poll takes of one partition: lines to be written, and what they are. */
export interface Taken {
  readonly from: number;
  readonly to: number;
  readonly records: number;
  readonly runs: readonly OffsetRun[];
  readonly rejected: readonly RejectedRecord[];
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** Of the lines and the payloads of what was rejected, in order of offset. */
  readonly check: Check;
  /** Give them back to the pool once the pieces are written. */
  readonly emptied: readonly Segment[];
}

const FETCH_BYTES = 4 << 20;
const LEAST_BYTES = 64 << 10;

/** One partition: what has been fetched of it and not been taken yet. Offsets are Kafka's. */
export class PartitionLog implements PartitionState {
  /** Its place in the reader's list. */
  readonly index: number;
  readonly topic: string;
  readonly topicId: string;
  /** Its number in its topic. */
  readonly partition: number;
  readonly name: string;
  /** It may turn up with records that the same poll takes. */
  readonly initial: number;
  readonly aborted = new AbortedTransactions();
  /** Where a bounded read ends; undefined where it does not. */
  readonly stop: number | undefined;
  /** The node that leads it; -1 where there is none now. */
  leader = -1;
  /** In a request whose answer has not been absorbed. */
  inFlight = false;
  /** Bytes of lines that a byte fetched makes, as compression has it; a guess until something was fetched. */
  expansion = 16;
  /** Bytes of an answer that is about to be absorbed. */
  incoming = 0;
  /** The next offset to ask for. */
  fetchOffset: number;
  /** What was asked for last. */
  asked = -1;
  /** How many answers, one after the other, had damaged bytes. */
  damages = 0;
  /** The next offset to be parsed. */
  parsedTo: number;
  /** The next offset to be taken. */
  position: number;
  /** The end that read_committed sees (the last stable offset), as last heard of. */
  lastStable: number | undefined;
  /** About where the log ends, by the answer that is being absorbed. */
  logEnd = Infinity;
  /** Answers of the broker about it, each with its end then. */
  answers = 0;
  /** It cannot be read on. */
  failed = false;
  private readonly segments: Segment[] = [];
  private readonly pool: SegmentPool;

  constructor(
    topic: string,
    partition: number,
    start: number,
    stop: number | undefined,
    pool: SegmentPool,
    { index = partition, topicId = '' }: { readonly index?: number; readonly topicId?: string } = {},
  ) {
    this.index = index;
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
    this.name = nameOf(this);
    this.initial = this.fetchOffset = this.parsedTo = this.position = start;
    this.stop = stop;
    this.pool = pool;
  }

  get end(): number | undefined {
    return this.stop ?? this.lastStable;
  }

  /** A transaction is open: what it brought is there, and cannot be read yet. */
  get away(): true | undefined {
    const { stop, lastStable, logEnd } = this;
    if (stop !== undefined || lastStable === undefined || logEnd === Infinity) return undefined;
    return lastStable < logEnd ? true : undefined;
  }

  get done(): boolean {
    return this.stop !== undefined && this.position >= this.stop;
  }

  /** All that a bounded read wants has been asked for. */
  get fetched(): boolean {
    return this.stop !== undefined && this.fetchOffset >= this.stop;
  }

  get bufferedBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.size, 0);
  }

  /** How many records below an offset could be taken. */
  bufferedBelow(offset: number): number {
    return this.segments.reduce((sum, segment) => sum + segment.countBelow(offset), 0);
  }

  /** How much to ask for so that what is held stays below `share`, bytes; 0 where it holds enough already. */
  wanted(share: number): number {
    const held = this.bufferedBytes + this.incoming * this.expansion;
    if (held > 0.75 * share) return 0;
    return Math.max(Math.min((share - held) / this.expansion, FETCH_BYTES), LEAST_BYTES) | 0;
  }

  /** A response with so many bytes for this partition was read. */
  absorbed(bytes: number, bufferedBefore: number): void {
    this.incoming = 0;
    if (bytes > 0) this.expansion = Math.max(1, (this.bufferedBytes - bufferedBefore) / bytes);
  }

  /** Whether a take would move the position. */
  get ready(): boolean {
    return this.parsedTo > this.position;
  }

  /** A segment with room for lines of so many bytes and records, at the log's end. */
  room(bytes: number, records: number): Segment {
    const last = this.segments.at(-1);
    if (last?.fits(bytes, records) === true) return last;
    last?.checkNew();
    const next = this.pool.acquire(bytes, records);
    next.to = this.parsedTo;
    this.segments.push(next);
    return next;
  }

  reject(offset: number, payload: Uint8Array | null, reason: string): void {
    this.room(0, 0).reject({ offset, payload: payload === null ? null : Uint8Array.from(payload), reason });
  }

  /** A batch has been read or skipped: everything below `offset` is settled. */
  settle(offset: number): void {
    this.parsedTo = Math.min(offset, this.stop ?? offset);
    const last = this.segments.at(-1) ?? this.room(0, 0);
    last.to = this.parsedTo;
    last.checkNew();
  }

  /** What is next is not there any more: goes on at `offset`, as if there had been nothing before it. */
  skipTo(offset: number): void {
    this.fetchOffset = offset;
    this.settle(offset);
  }

  /** The next records, at most so many, below an offset; gaps and rejected ones on the way come with them. */
  take(maxRecords: number, below = Infinity): Taken {
    const from = this.position;
    const runs: OffsetRun[] = [];
    const rejected: RejectedRecord[] = [];
    const pieces: Uint8Array[] = [];
    const emptied: Segment[] = [];
    let left = maxRecords;
    let check = NO_BYTES;
    for (let segment = this.segments[0]; segment !== undefined && left >= 0; segment = this.segments[0]) {
      const count = Math.min(left, segment.countBelow(below));
      const start = segment.start;
      const end = segment.remaining === count ? segment.used : (segment.ends[segment.taken + count - 1] ?? start);
      if (count > 0) pieces.push(segment.bytes.subarray(start, end));
      for (const run of segment.takeRuns(count)) append(runs, run);
      left -= count;
      const isOver = segment.remaining === 0 && !segment.reaches(below);
      this.position = isOver ? segment.to : Math.min(segment.runs[0]?.first ?? below, below);
      const bad = segment.takeRejected(isOver ? below : this.position);
      check = segment.check(check, start, end, bad);
      for (const { record } of bad) rejected.push(record);
      if (!isOver) break;
      emptied.push(segment);
      this.segments.shift();
    }
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    return { from, to: this.position, records: maxRecords - left, runs, rejected, pieces, bytes, check, emptied };
  }
}

/** Runs of two segments that continue each other are one. */
function append(runs: OffsetRun[], run: OffsetRun): void {
  const last = runs.at(-1);
  if (last === undefined || last.first + last.count !== run.first) runs.push(run);
  else runs[runs.length - 1] = { first: last.first, count: last.count + run.count };
}
