import type { Chunk, SourceReader } from '../base/connector.ts';
import type { SourceState } from './checkpoint/manifest.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { SourceProgress } from '../base/run.ts';
import { raw, type Sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';
import { decode } from './decode/decoder.ts';
import type { PlacedColumn } from '../planner/plan-sources.ts';
import type { Decoded, DecodePlan, Placed } from './decode/plan.ts';
import { deltaTable, END_OF_TIME } from './operators/operator.ts';
import type { SourceOperator } from './operators/source.ts';
import type { SourceKeeper } from './retained/source-keeper.ts';
import { SourceClock } from './source-clock.ts';
import type { SourceStanding } from './source-standing.ts';

/** Files whose first records are decoded at once. */
const PEEKED_TOGETHER = 100;

/** An epoch's rows of a source, and the table that holds them. */
export interface DecodedChunks {
  readonly decoded: Decoded;
  readonly table: Sql;
}

/** One source of a run: its reader, its decoder, and its watermarks. */
export class SourceRun {
  readonly operator: SourceOperator;
  readonly reader: SourceReader;
  readonly counts = { rows: 0, late: 0, dead: 0, skipped: 0, firstReason: undefined as string | undefined };
  notice: string | undefined;
  /** The poll that is under way, or has brought what no epoch has taken yet. */
  pending: Promise<readonly Chunk[]> | undefined;
  /** Keeps the raw records; undefined where nobody does. */
  keeper: SourceKeeper | undefined;
  readonly clock: SourceClock;
  private readonly plan: DecodePlan;
  private slot = 0;

  /** `now`: the engine's clock, microseconds. */
  constructor(operator: SourceOperator, reader: SourceReader, now: () => bigint) {
    this.operator = operator;
    this.reader = reader;
    const { node } = operator;
    const { timing, eventTime } = node;
    this.clock = new SourceClock({ bounded: node.plan.bounded, timing, delay: eventTime?.delay, partitions: () => reader.partitions, now, ...(node.plan.logged === true && { since: now() }) }); // prettier-ignore
    this.plan = {
      source: node.name,
      strict: node.plan.strict,
      columns: node.physical,
      ...(node.placed !== undefined && { placed: node.placed.map((column) => this.placed(column)) }),
      computed: node.computed.map((column) => ({
        name: column.name,
        expression: raw(column.expression),
        type: column.type,
        written: column.written,
      })),
      proctime: node.proctime,
      eventTime: eventTime?.column,
      maxFuture: timing.maxFutureMs === undefined ? undefined : BigInt(Math.round(timing.maxFutureMs * 1000)),
      changes:
        node.changes === undefined
          ? undefined
          : { envelope: node.changes.envelope, problem: raw(node.changes.problem) },
      identity: node.demand.identity,
    };
  }

  private placed({ name, type, value }: PlacedColumn): Placed {
    if (value.kind === 'offset') return { name, type, value: 'offset' };
    return { name, type, value: (partition) => value.of(this.reader.partitions[partition]?.name ?? '') };
  }

  get name(): string {
    return this.operator.node.name;
  }

  private readonly ordinals = new Map<number, number>();
  /** By partition: up to where it is in the results. */
  private readonly inResults = new Map<number, number>();

  /** Where it stands between two epochs. `fingerprint`: of what it reads. */
  save(fingerprint: string): SourceState {
    const { rows, late, dead, skipped } = this.counts;
    const { watermark, decided } = this.clock;
    const text = (micros: bigint | undefined): string | null => (micros === undefined ? null : String(micros));
    return {
      name: this.name, fingerprint, watermark: text(watermark),
      ...(decided !== undefined && { decided: String(decided) }),
      rows, late, deadLetters: dead, skipped,
      partitions: this.reader.partitions.map((partition, index) => {
        const { greatest, initial, taken, activeAt } = this.clock.at(index);
        return {
          name: partition.name, position: taken, ordinal: this.ordinals.get(index) ?? null, end: partition.end ?? null,
          greatest: text(greatest), initial, active: String(activeAt),
        };
      }),
    }; // prettier-ignore
  }

  /** Goes on from where it stood; its reader was told the same. */
  load(state: SourceState): void {
    const micros = (text: string | null | undefined): bigint | undefined => (text === null || text === undefined ? undefined : BigInt(text)); // prettier-ignore
    this.clock.restore(micros(state.watermark), micros(state.decided));
    Object.assign(this.counts, { rows: state.rows, late: state.late, dead: state.deadLetters, skipped: state.skipped });
    for (const [index, partition] of state.partitions.entries()) {
      this.clock.load(partition, index);
      this.inResults.set(index, partition.position);
      if (partition.ordinal !== null) this.ordinals.set(index, partition.ordinal);
    }
  }

  /** Where each partition stands, also those of which no epoch has taken anything yet. */
  positions(): readonly { readonly name: string; readonly position: number }[] {
    return this.reader.partitions.map(({ name }, index) => ({ name, position: this.clock.at(index).taken }));
  }

  /** Nothing more will come, though what was polled ahead may still wait for its epoch. */
  get exhausted(): boolean {
    return this.operator.node.plan.bounded && this.reader.partitions.every((partition) => partition.done);
  }

  /** Finds where files that have not begun will begin, so that they hold the watermark there. */
  async peek(connection: DuckConnection, clock: bigint): Promise<void> {
    if (this.operator.node.eventTime === undefined || this.reader.peek === undefined) return;
    let chunks: Chunk[] = [];
    const look = async (): Promise<void> => {
      if (chunks.length === 0) return;
      const table = deltaTable(`${this.operator.node.id}$peek`);
      const { times } = await decode(connection, { ...this.plan, strict: false }, table, chunks, clock);
      for (const { partition, min } of times) this.clock.at(partition).first ??= min;
      for (const chunk of chunks) chunk.release();
      chunks = [];
    };
    for (const [index, partition] of this.reader.partitions.entries()) {
      if (partition.done || this.clock.at(index).greatest !== undefined) continue;
      const chunk = await this.reader.peek(index);
      if (chunk !== undefined) chunks.push(chunk);
      if (chunks.length === PEEKED_TOGETHER) await look();
    }
    await look();
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

  /** Takes in what an epoch brought; the source's watermark goes on by it. */
  advance(decoded: Decoded | undefined, chunks: readonly Chunk[], now: bigint): void {
    for (const { partition, ordinal } of chunks) if (ordinal !== undefined) this.ordinals.set(partition, ordinal);
    this.clock.took(decoded?.times ?? [], chunks, now);
    this.clock.settle();
  }

  /** The epoch of these chunks is in the results. */
  committed(chunks: readonly Chunk[]): void {
    for (const { partition, to } of chunks) this.inResults.set(partition, to);
  }

  /** Of a source that has ended: where its watermark was at the end. */
  get shownWatermark(): bigint | undefined {
    const { watermark } = this.clock;
    return watermark !== undefined && watermark >= END_OF_TIME ? this.clock.latest() : watermark;
  }

  progress(now: bigint): SourceProgress {
    const { partitions } = this.reader;
    const ends = partitions.map((partition) => partition.end);
    const total =
      ends.every((end) => end !== undefined) && ends.length > 0
        ? ends.reduce((sum, end) => sum + (end ?? 0), 0)
        : undefined;
    const hold = this.clock.hold(now);
    return {
      name: this.name,
      rows: this.counts.rows,
      late: this.counts.late,
      deadLetters: this.counts.dead,
      skipped: this.counts.skipped,
      firstReason: this.counts.firstReason,
      done: partitions.reduce((sum, partition) => sum + partition.position, 0),
      total,
      committed: partitions.reduce((sum, _, i) => sum + (this.inResults.get(i) ?? this.clock.at(i).initial), 0),
      watermark: this.shownWatermark,
      heldBackBy: hold?.partition !== undefined && partitions.length > 1 ? partitions[hold.partition]?.name : undefined,
      heldBackReason: hold?.reason,
      notice: this.notice,
    };
  }

  /** Where its partitions stand, for those who ask what it waits for. */
  standing(now: bigint): SourceStanding {
    const { eventTime } = this.operator.node;
    const { partitions } = this.reader;
    return {
      eventTime: eventTime !== undefined,
      delay: eventTime?.delay ?? 0n,
      notice: this.notice,
      reason: this.clock.hold(now)?.reason,
      partitions: this.clock.standings(now).map((standing, index) => {
        return { ...standing, name: partitions[index]?.name ?? '', end: partitions[index]?.end };
      }),
    };
  }
}

/** What a source's own SELECT says when it fails: a generator's expression, a Parquet file that is damaged. */
function asSourceError(name: string, error: unknown): unknown {
  if (error instanceof StreamsqlError || !(error instanceof Error)) return error;
  return new StreamsqlError('SOURCE', `source ${name}: ${error.message.split('\n')[0] ?? ''}`, { cause: error });
}
