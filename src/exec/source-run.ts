import type { Chunk, PartitionState, SourceReader } from '../base/connector.ts';
import type { SourceState } from './checkpoint/manifest.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { SourceProgress } from '../base/run.ts';
import { raw, type Sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';
import { decode } from './decode/decoder.ts';
import type { Decoded, DecodePlan } from './decode/plan.ts';
import { deltaTable, END_OF_TIME, least } from './operators/operator.ts';
import type { SourceOperator } from './operators/source.ts';
import type { SourceKeeper } from './retained/source-keeper.ts';
import type { SourceStanding } from './source-standing.ts';

/** How long a partition of a live source must have had nothing new before it holds no watermark back, ms. */
const IDLE_AFTER_MS = 10_000;

/** What the runtime knows of a partition, beside what the reader does. */
interface PartitionClock {
  /** The greatest event time so far; microseconds. */
  greatest: bigint | undefined;
  /** Of a file that has not begun: its first event time. */
  first: bigint | undefined;
  /** The engine's clock when it was last seen with something new. */
  activeAt: number;
  /** Where the reader stood when the partition was first seen. */
  readonly initial: number;
}

/** An epoch's rows of a source, and the table that holds them. */
export interface DecodedChunks {
  readonly decoded: Decoded;
  readonly table: Sql;
}

/** One source of a run: its reader, its decoder, and the running watermarks of its partitions. */
export class SourceRun {
  readonly operator: SourceOperator;
  readonly reader: SourceReader;
  readonly counts = { rows: 0, late: 0, dead: 0, skipped: 0, firstReason: undefined as string | undefined };
  notice: string | undefined;
  /** The poll that is under way, or has brought what no epoch has taken yet. */
  pending: Promise<readonly Chunk[]> | undefined;
  /** Keeps the raw records; undefined where nobody does. */
  keeper: SourceKeeper | undefined;
  private readonly plan: DecodePlan;
  private readonly clocks: PartitionClock[] = [];
  private announced: bigint | undefined;
  private slot = 0;

  constructor(operator: SourceOperator, reader: SourceReader) {
    this.operator = operator;
    this.reader = reader;
    const { node } = operator;
    this.plan = {
      source: node.name,
      strict: node.plan.strict,
      columns: node.physical,
      computed: node.computed.map((column) => ({
        name: column.name,
        expression: raw(column.expression),
        type: column.type,
        written: column.written,
      })),
      proctime: node.proctime,
      eventTime: node.eventTime?.column,
      changes:
        node.changes === undefined
          ? undefined
          : { envelope: node.changes.envelope, problem: raw(node.changes.problem) },
      identity: node.demand.identity,
    };
  }

  get name(): string {
    return this.operator.node.name;
  }

  private readonly committed = new Map<number, number>();
  private readonly ordinals = new Map<number, number>();

  /** The watermark that was announced last, microseconds. */
  get watermark(): bigint | undefined {
    return this.announced;
  }

  /** Where it stands between two epochs. `fingerprint`: of what it reads. */
  save(fingerprint: string): SourceState {
    const { rows, late, dead, skipped } = this.counts;
    return {
      name: this.name, fingerprint, watermark: this.announced === undefined ? null : String(this.announced),
      rows, late, deadLetters: dead, skipped,
      partitions: this.reader.partitions.map((partition, index) => {
        const { greatest, initial } = this.clockOf(index);
        return {
          name: partition.name, position: this.committed.get(index) ?? initial, ordinal: this.ordinals.get(index) ?? null, end: partition.end ?? null,
          greatest: greatest === undefined ? null : String(greatest), initial,
        };
      }),
    }; // prettier-ignore
  }

  /** Goes on from where it stood; its reader was told the same. */
  load(state: SourceState): void {
    this.announced = state.watermark === null ? undefined : BigInt(state.watermark);
    Object.assign(this.counts, { rows: state.rows, late: state.late, dead: state.deadLetters, skipped: state.skipped });
    for (const [index, { position, ordinal, greatest, initial }] of state.partitions.entries()) {
      const seen = greatest === null ? undefined : BigInt(greatest);
      this.clocks[index] = { greatest: seen, first: undefined, activeAt: Date.now(), initial };
      if (position !== initial) this.committed.set(index, position);
      if (ordinal !== null) this.ordinals.set(index, ordinal);
    }
  }

  /** The watermark of an epoch that is done again is the one that it had. */
  announce(watermark: bigint | undefined): bigint | undefined {
    this.announced = watermark ?? this.announced;
    return this.announced;
  }

  /** Where each partition stands after the epochs so far, which is behind what has been polled ahead. */
  committedOffsets(): readonly { source: string; partition: string; position: number }[] {
    return this.reader.partitions.flatMap((partition, index) => {
      const position = this.committed.get(index);
      return position === undefined ? [] : [{ source: this.name, partition: partition.name, position }];
    });
  }

  /** Where each partition stands, also those of which no epoch has taken anything yet. */
  positions(): readonly { readonly name: string; readonly position: number }[] {
    return this.reader.partitions.map(({ name }, index) => ({
      name,
      position: this.committed.get(index) ?? this.clockOf(index).initial,
    }));
  }

  /** Nothing more will come, though what was polled ahead may still wait for its epoch. */
  get exhausted(): boolean {
    return this.reader.partitions.every((partition) => partition.done);
  }

  /** Nothing more will come, and epochs have taken all that came. */
  private finished(index: number): boolean {
    const partition = this.reader.partitions[index];
    return partition?.done === true && (this.committed.get(index) ?? this.clockOf(index).initial) >= partition.position;
  }

  /** Finds where files that have not begun will begin, so that they hold the watermark there. */
  async peek(connection: DuckConnection, clock: bigint): Promise<void> {
    if (this.operator.node.eventTime === undefined || this.reader.peek === undefined) return;
    for (const [index, partition] of this.reader.partitions.entries()) {
      this.clockOf(index);
      if (partition.done || this.clockOf(index).greatest !== undefined) continue;
      const chunk = await this.reader.peek(index);
      if (chunk === undefined) continue;
      const table = deltaTable(`${this.operator.node.id}$peek`);
      const decoded = await decode(connection, { ...this.plan, strict: false }, table, [chunk], clock);
      chunk.release();
      this.clockOf(index).first = decoded.times[0]?.min;
    }
  }

  private clockOf(index: number): PartitionClock {
    const known = this.clocks[index];
    if (known !== undefined) return known;
    const initial = this.reader.partitions[index]?.position ?? 0;
    const fresh: PartitionClock = { greatest: undefined, first: undefined, activeAt: Date.now(), initial };
    this.clocks[index] = fresh;
    return fresh;
  }

  /** Decodes an epoch's chunks into one of two tables: the other one's epoch may still be running. */
  async decode(connection: DuckConnection, chunks: readonly Chunk[], clock: bigint): Promise<DecodedChunks> {
    this.slot ^= 1;
    const table = deltaTable(`${this.operator.node.id}$${this.slot}`);
    try {
      const decoded = await decode(connection, this.plan, table, chunks, clock);
      return { decoded, table };
    } catch (error) {
      throw asSourceError(this.name, error);
    } finally {
      if (this.keeper === undefined) for (const chunk of chunks) chunk.release();
    }
  }

  /** The epoch of these chunks, which are decoded, is committed. */
  async keep(chunks: readonly Chunk[], epoch: number, clock: bigint): Promise<void> {
    const names = this.reader.partitions.map(({ name }) => name);
    await this.keeper?.keep(chunks, names, epoch, clock);
  }

  /**
   * Each partition's own running watermark: the greatest of its event times so far less the delay. A partition that was
   * idle, or turns up late, starts from what has been announced already.
   */
  watermarks(): Map<number, bigint> {
    const delay = this.operator.node.eventTime?.delay ?? 0n;
    const known = new Map<number, bigint>();
    for (const index of this.reader.partitions.keys()) {
      const { greatest } = this.clockOf(index);
      const own = greatest === undefined ? undefined : greatest - delay;
      const from = own === undefined || (this.announced !== undefined && this.announced > own) ? this.announced : own;
      if (from !== undefined) known.set(index, from);
    }
    return known;
  }

  /** Takes in what an epoch brought, then says where the source's watermark is. It never goes back. */
  advance(decoded: Decoded | undefined, chunks: readonly Chunk[], now: number): bigint | undefined {
    for (const stretch of decoded?.times ?? []) {
      const clock = this.clockOf(stretch.partition);
      if (clock.greatest === undefined || stretch.max > clock.greatest) clock.greatest = stretch.max;
    }
    for (const chunk of chunks) {
      this.clockOf(chunk.partition).activeAt = now;
      this.committed.set(chunk.partition, chunk.to);
      if (chunk.ordinal !== undefined) this.ordinals.set(chunk.partition, chunk.ordinal);
    }
    const ended = this.reader.partitions.every((_, index) => this.finished(index));
    const reached = ended ? END_OF_TIME : this.slowest(now)?.watermark;
    if (reached !== undefined && (this.announced === undefined || reached > this.announced)) this.announced = reached;
    return this.announced;
  }

  /** The partition that holds the watermark back, and where it holds it. */
  private slowest(now: number): { index: number; watermark: bigint | undefined } | undefined {
    const event = this.operator.node.eventTime;
    if (event === undefined) return undefined;
    let slowest: { index: number; watermark: bigint | undefined } | undefined;
    for (const [index, partition] of this.reader.partitions.entries()) {
      if (this.finished(index) || this.idle(partition, this.clockOf(index), now)) continue;
      const clock = this.clockOf(index);
      const seen = clock.greatest ?? clock.first;
      const watermark = seen === undefined ? undefined : seen - event.delay;
      if (slowest === undefined || least(watermark, slowest.watermark) !== slowest.watermark)
        slowest = { index, watermark };
      if (watermark === undefined) return { index, watermark };
    }
    return slowest;
  }

  private idle(partition: PartitionState, clock: PartitionClock, now: number): boolean {
    if (this.operator.node.plan.bounded || this.reader.partitions.length < 2) return false;
    return partition.end !== undefined && partition.position >= partition.end && now - clock.activeAt > IDLE_AFTER_MS;
  }

  /** Event times up to which partitions may read on, so that all advance together; undefined where there is no order. */
  frontier(): bigint | undefined {
    if (this.operator.node.eventTime === undefined) return undefined;
    let low: bigint | undefined;
    for (const [index, partition] of this.reader.partitions.entries()) {
      if (partition.done || (partition.end !== undefined && partition.position >= partition.end)) continue;
      const seen = this.clockOf(index).greatest ?? this.clockOf(index).first;
      if (seen === undefined) continue;
      if (low === undefined || seen < low) low = seen;
    }
    return low;
  }

  /** The partitions that are not ahead of `frontier` by more than `slack`. */
  allowed(frontier: bigint | undefined, slack: bigint): ReadonlySet<number> | 'all' {
    if (frontier === undefined || this.operator.node.eventTime === undefined) return 'all';
    const allowed = new Set<number>();
    for (const index of this.reader.partitions.keys()) {
      const seen = this.clockOf(index).greatest ?? this.clockOf(index).first;
      if (seen === undefined || seen <= frontier + slack) allowed.add(index);
    }
    return allowed;
  }

  progress(now: number): SourceProgress {
    const slowest = this.slowest(now);
    const ends = this.reader.partitions.map((partition) => partition.end);
    const total =
      ends.every((end) => end !== undefined) && ends.length > 0
        ? ends.reduce((sum, end) => sum + (end ?? 0), 0)
        : undefined;
    const watermark = this.announced === undefined || this.announced >= END_OF_TIME ? this.latest() : this.announced;
    return {
      name: this.name,
      rows: this.counts.rows,
      late: this.counts.late,
      deadLetters: this.counts.dead,
      skipped: this.counts.skipped,
      firstReason: this.counts.firstReason,
      done: this.reader.partitions.reduce((sum, partition) => sum + partition.position, 0),
      total,
      watermark,
      heldBackBy:
        slowest !== undefined && this.reader.partitions.length > 1
          ? this.reader.partitions[slowest.index]?.name
          : undefined,
      notice: this.notice,
    };
  }

  /** Where its partitions stand, for those who ask what it waits for. */
  standing(now: number): SourceStanding {
    const slowest = this.slowest(now)?.index;
    const { eventTime, plan } = this.operator.node;
    return {
      eventTime: eventTime !== undefined,
      delay: eventTime?.delay ?? 0n,
      notice: this.notice,
      partitions: this.reader.partitions.map((partition, index) => {
        const clock = this.clockOf(index);
        return {
          name: partition.name, position: this.committed.get(index) ?? clock.initial, end: partition.end,
          done: this.finished(index), idle: !plan.bounded && this.idle(partition, clock, now),
          latest: clock.greatest, first: clock.first, activeAt: clock.activeAt, holds: index === slowest,
        };
      }),
    }; // prettier-ignore
  }

  /** Of a source that has ended: where its watermark was at the end. */
  private latest(): bigint | undefined {
    const delay = this.operator.node.eventTime?.delay ?? 0n;
    const seen = this.clocks.flatMap((clock) => (clock.greatest === undefined ? [] : [clock.greatest - delay]));
    return seen.length === 0 ? undefined : seen.reduce((high, next) => (next > high ? next : high));
  }
}

/** What a source's own SELECT says when it fails: a generator's expression, a Parquet file that is damaged. */
function asSourceError(name: string, error: unknown): unknown {
  if (error instanceof StreamsqlError || !(error instanceof Error)) return error;
  return new StreamsqlError('SOURCE', `source ${name}: ${error.message.split('\n')[0] ?? ''}`, { cause: error });
}
