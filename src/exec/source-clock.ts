import type { Chunk, PartitionState } from '../base/connector.ts';
import type { HeldBackReason } from '../base/run.ts';
import type { SourceTiming } from '../planner/timing.ts';
import type { PartitionStateSaved } from './checkpoint/manifest.ts';
import type { Stretch } from './decode/plan.ts';
import { END_OF_TIME } from './operators/operator.ts';
import { Answers } from './partition-answers.ts';
import type { PartitionStanding } from './source-standing.ts';

/** An epoch for the watermark alone: at most so often, and the longer it has been quiet the less, microseconds. */
const TICK = 1_000_000n;
const TICKS_OF_QUIET = 10n;
/** A partition of a live source lags where it has more left than it gave lately, so many times. */
const LAGS_BY = 2;

/** What is known of a partition, beside what its reader knows. Times are microseconds. */
interface PartitionClock {
  /** The greatest event time so far. */
  greatest: bigint | undefined;
  /** Of a file that has not begun: its first event time. */
  first: bigint | undefined;
  /** The engine's clock in the last epoch that brought something of it; before, when it was first seen. */
  activeAt: bigint;
  /** Where the reader stood when the partition was first seen. */
  readonly initial: number;
  /** Up to where epochs have taken it. */
  taken: number;
  /** How far its last epoch went, in positions and in event time. */
  step: number;
  span: bigint;
  readonly answers: Answers;
}

/** How a partition stands; see PartitionStanding. */
type ClockStanding = Omit<PartitionStanding, 'name' | 'end'>;

export interface SourceClockHost {
  readonly bounded: boolean;
  readonly timing: SourceTiming;
  /** Of the watermark, microseconds; undefined where there is no event time. */
  readonly delay: bigint | undefined;
  /** Since when something can have come, of what comes only while someone listens, microseconds. */
  readonly since?: bigint | undefined;
  partitions(): readonly PartitionState[];
  /** The engine's clock, microseconds. */
  now(): bigint;
}

/**
 * The watermarks of a source's partitions, and its own: the least of theirs, which never goes back.
 *
 * A partition's running watermark is the greatest of its event times less the delay, or what the source announced before, where that
 * is more. So whoever has been idle, or turns up late, starts from what was announced. What clocks decide (who is idle, how far a quiet
 * stream has come) moves what is announced and nothing else, at most once for each time of the clock and before the epoch's rows; and
 * what was announced is logged with the epoch. So done again, whatever was decided, each record is as late as it was.
 */
export class SourceClock {
  private readonly host: SourceClockHost;
  private readonly clocks: PartitionClock[] = [];
  /** What has been taken of all partitions: records, and the positions that they went on by. */
  private readonly size = { records: 0, positions: 0 };
  private announced: bigint | undefined;
  private decidedAt: bigint | undefined;

  constructor(host: SourceClockHost) {
    this.host = host;
  }

  at(index: number): PartitionClock {
    const known = this.clocks[index];
    if (known !== undefined) return known;
    const partition = this.host.partitions()[index];
    const position = partition?.initial ?? partition?.position ?? 0;
    return this.add(index, { initial: position, taken: position, greatest: undefined, activeAt: this.host.now() });
  }

  private add(index: number, own: Pick<PartitionClock, 'initial' | 'taken' | 'greatest' | 'activeAt'>): PartitionClock {
    const clock = { ...own, first: undefined, step: 0, span: 0n, answers: new Answers() };
    this.clocks[index] = clock;
    return clock;
  }

  load({ position, initial, greatest, active }: PartitionStateSaved, index: number): void {
    this.add(index, {
      initial,
      taken: position,
      greatest: greatest === null ? undefined : BigInt(greatest),
      activeAt: active === undefined ? this.host.now() : BigInt(active),
    });
  }

  /** The watermark that was announced last. */
  get watermark(): bigint | undefined {
    return this.announced;
  }

  get decided(): bigint | undefined {
    return this.decidedAt;
  }

  /** What an earlier run, or an epoch that is done again, came to. */
  restore(watermark: bigint | undefined, decidedAt: bigint | undefined): void {
    this.announced = watermark;
    this.decidedAt = decidedAt ?? this.decidedAt;
  }

  /** Takes in what an epoch brought. */
  took(times: readonly Stretch[], chunks: readonly Chunk[], now: bigint): void {
    const began = new Map<number, number>();
    for (const chunk of chunks) {
      const clock = this.at(chunk.partition);
      if (chunk.records + chunk.rejected.length > 0) clock.activeAt = now;
      const from = began.get(chunk.partition) ?? chunk.from;
      began.set(chunk.partition, from);
      clock.step = chunk.to - from;
      clock.taken = chunk.to;
      this.size.records += chunk.records + chunk.rejected.length;
      this.size.positions += chunk.to - chunk.from;
    }
    const before = new Map<number, bigint>();
    for (const { partition, min, max } of times) {
      const clock = this.at(partition);
      const from = before.get(partition) ?? clock.greatest ?? min;
      before.set(partition, from);
      if (clock.greatest === undefined || max > clock.greatest) clock.greatest = max;
      clock.span = clock.greatest - from;
    }
  }

  /** Announces where the source is by what it has brought. */
  settle(): bigint | undefined {
    const open = this.unfinished();
    // What has ended holds nothing back, though more may turn up.
    const reached = open.length === 0 ? this.latest() : this.leastOf(open);
    this.raise(this.over(open) ? END_OF_TIME : reached);
    return this.announced;
  }

  /** Announces what the clock decides before an epoch: without those that are idle, or, where all are, as time goes by. */
  decide(now: bigint): void {
    if (this.decidedAt !== undefined && now <= this.decidedAt) return;
    this.decidedAt = now;
    this.raise(this.byClock(now));
  }

  /** Whether a decision now would move what is announced, and the last one is long enough ago. */
  due(now: bigint): boolean {
    const reached = this.byClock(now);
    if (reached === undefined || (this.announced !== undefined && reached <= this.announced)) return false;
    const quiet = (now - this.lastActive()) / TICKS_OF_QUIET;
    return this.decidedAt === undefined || now - this.decidedAt >= (quiet > TICK ? quiet : TICK);
  }

  private raise(reached: bigint | undefined): void {
    if (reached !== undefined && (this.announced === undefined || reached > this.announced)) this.announced = reached;
  }

  private byClock(now: bigint): bigint | undefined {
    const { delay, timing } = this.host;
    if (delay === undefined || timing.idleMs === undefined) return undefined;
    const open = this.unfinished();
    if (this.over(open)) return undefined;
    const states = this.host.partitions();
    const active = open.filter((index) => !this.idle(states[index], index, now));
    if (open.length === 0 && !this.isQuiet(now)) return undefined;
    if (active.length === open.length && open.length > 0) return undefined;
    if (active.length > 0) return this.leastOf(active);
    const latest = this.latest();
    if (latest === undefined || timing.onQuiet === 'hold') return undefined;
    return latest + now - this.lastActive();
  }

  /** All that is known of it has ended, and nothing has turned up for so long. */
  private isQuiet(now: bigint): boolean {
    const { idleMs } = this.host.timing;
    return idleMs !== undefined && now - this.lastActive() >= BigInt(Math.round(idleMs * 1000));
  }

  /** At an end that the source told after the time that makes it idle: neither a backlog nor an outage is idleness. */
  private idle(partition: PartitionState | undefined, index: number, now: bigint): boolean {
    const { idleMs } = this.host.timing;
    const clock = this.at(index);
    clock.answers.see(partition?.answers, now, partition?.away);
    if (idleMs === undefined || partition?.end === undefined || clock.answers.away) return false;
    if (clock.taken < partition.end || clock.taken < partition.position) return false;
    return clock.answers.told - clock.answers.since(this.quietSince(clock)) >= BigInt(Math.round(idleMs * 1000));
  }

  private lastActive(): bigint {
    return this.clocks.reduce((last, clock) => {
      const at = this.quietSince(clock);
      return at > last ? at : last;
    }, 0n);
  }

  /** Nothing came while nobody listened: that says nothing. */
  private quietSince({ activeAt }: PartitionClock): bigint {
    const { since } = this.host;
    return since !== undefined && since > activeAt ? since : activeAt;
  }

  /** The greatest watermark of a partition: where the source's is when its input is over. */
  latest(): bigint | undefined {
    const seen = this.clocks.flatMap(({ greatest }) => (greatest === undefined ? [] : [greatest]));
    if (seen.length === 0) return undefined;
    return seen.reduce((high, next) => (next > high ? next : high)) - (this.host.delay ?? 0n);
  }

  /** Those of which more may come, or of which epochs have not taken all that came. */
  private unfinished(): readonly number[] {
    const states = [...this.host.partitions().entries()];
    return states.flatMap(([index, { done, position }]) => (done && this.at(index).taken >= position ? [] : [index]));
  }

  /** An unbounded source waits for its first partition, or the next. */
  private over(unfinished: readonly number[]): boolean {
    return unfinished.length === 0 && this.host.bounded;
  }

  /** Each partition's running watermark. */
  watermarks(): Map<number, bigint> {
    const known = new Map<number, bigint>();
    for (const index of this.host.partitions().keys()) {
      const own = this.own(this.at(index).greatest);
      if (own !== undefined) known.set(index, own);
    }
    return known;
  }

  private own(seen: bigint | undefined): bigint | undefined {
    if (seen === undefined) return this.announced;
    const watermark = seen - (this.host.delay ?? 0n);
    return this.announced !== undefined && this.announced > watermark ? this.announced : watermark;
  }

  private leastOf(indexes: readonly number[]): bigint | undefined {
    const slowest = this.slowest(indexes);
    return slowest === undefined ? undefined : this.own(this.seen(slowest));
  }

  private seen(index: number): bigint | undefined {
    return this.at(index).greatest ?? this.at(index).first;
  }

  /** Of these the one whose watermark is the least; one that has none is less than any. */
  private slowest(indexes: readonly number[]): number | undefined {
    if (this.host.delay === undefined) return undefined;
    let slowest: number | undefined;
    for (const index of indexes) {
      const seen = this.seen(index);
      if (seen === undefined) return index;
      const least = slowest === undefined ? undefined : this.seen(slowest);
      if (least === undefined || seen < least) slowest = index;
    }
    return slowest;
  }

  /** What the watermark waits for, and of which partition. */
  hold(now: bigint): { readonly partition: number | undefined; readonly reason: HeldBackReason } | undefined {
    const open = this.unfinished();
    if (this.host.delay === undefined || this.over(open)) return undefined;
    const states = this.host.partitions();
    if (open.length === 0 && !this.isQuiet(now)) return { partition: undefined, reason: 'no partition yet' };
    const active = open.filter((index) => !this.idle(states[index], index, now));
    if (active.length === 0)
      return { partition: undefined, reason: this.host.timing.onQuiet === 'hold' || this.latest() === undefined ? 'idle' : 'clock' }; // prettier-ignore
    const partition = this.slowest(active);
    return partition === undefined ? undefined : { partition, reason: this.reason(partition) };
  }

  /** How each partition stands, by index. */
  standings(now: bigint): readonly ClockStanding[] {
    const open = new Set(this.unfinished());
    const holding = this.hold(now)?.partition;
    return this.host.partitions().map((partition, index) => {
      const { taken, greatest, first, activeAt } = this.at(index);
      const idle = !this.host.bounded && this.idle(partition, index, now);
      return { position: taken, done: !open.has(index), idle, latest: greatest, first, activeAt: Number(activeAt / 1000n), holds: index === holding }; // prettier-ignore
    });
  }

  private reason(index: number): HeldBackReason {
    const partition = this.host.partitions()[index];
    const clock = this.at(index);
    if (clock.greatest === undefined) return clock.first === undefined ? 'no event time yet' : 'not begun';
    if (partition?.end === undefined) return 'slowest';
    return clock.taken < partition.end || clock.taken < partition.position ? 'backlog' : 'nothing new';
  }

  /**
   * The event time of the partition that is furthest behind and has more to be read, and where it will be after another epoch:
   * who is beyond that waits for it. Undefined where nobody is behind. `records`: whole files of not more than these are one epoch.
   */
  frontier(records = 0): { readonly low: bigint; readonly reach: bigint } | undefined {
    if (this.host.delay === undefined) return undefined;
    let found: { low: bigint; index: number } | undefined;
    for (const [index, partition] of this.host.partitions().entries()) {
      const low = this.seen(index);
      if (low === undefined || !this.lags(partition, index) || (found !== undefined && low >= found.low)) continue;
      found = { low, index };
    }
    if (found === undefined) return undefined;
    const { low, index } = found;
    return { low, reach: this.ofWholeFiles(index, records) ?? low + this.at(index).span };
  }

  /** From the file that is furthest behind on, where the last one begins of those that have not begun and hold so many records together. */
  private ofWholeFiles(first: number, most: number): bigint | undefined {
    let left = most - this.estimate(first);
    if (left < 0) return undefined;
    const behind = [...this.host.partitions().entries()].flatMap(([index, partition]) => {
      const begins = this.seen(index);
      return index === first || begins === undefined || !this.lags(partition, index) ? [] : [{ index, begins }];
    });
    let reach = this.seen(first);
    for (const { index, begins } of behind.sort((a, b) => (a.begins < b.begins ? -1 : 1))) {
      left -= this.estimate(index);
      if (left < 0) break;
      reach = begins;
    }
    return reach;
  } // prettier-ignore

  /** About how many records a file has that has not begun; of others who knows. */
  private estimate(index: number): number {
    const partition = this.host.partitions()[index];
    const { records, positions } = this.size;
    const end = partition?.end ?? partition?.about;
    if (partition === undefined || end === undefined || this.at(index).greatest !== undefined || positions === 0)
      return Infinity;
    return Math.ceil(((end - partition.position) * records) / positions) + 1;
  }

  /** What arrives while an epoch runs is no backlog. */
  private lags(partition: PartitionState, index: number): boolean {
    if (partition.done) return false;
    if (partition.end !== undefined && partition.position >= partition.end) return false;
    if (this.host.bounded || partition.end === undefined) return true;
    return partition.end - partition.position > LAGS_BY * this.at(index).step;
  }

  /** The partitions that are not beyond `reach`. */
  allowed(reach: bigint | undefined): ReadonlySet<number> | 'all' {
    if (reach === undefined || this.host.delay === undefined) return 'all';
    const indexes = [...this.host.partitions().keys()];
    return new Set(indexes.filter((index) => (this.seen(index) ?? reach) <= reach));
  }

  /** Partitions with something to be read of which it is not known where in time they are. */
  unknown(): number {
    if (this.host.delay === undefined) return 0;
    const open = [...this.host.partitions().entries()].filter(([index, { done }]) => !done && this.seen(index) === undefined);
    return open.filter(([, { position, end }]) => end === undefined || position < end).length;
  } // prettier-ignore
}
