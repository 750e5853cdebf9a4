import { setTimeout as sleep } from 'node:timers/promises';
import type { Chunk } from '../base/connector.ts';
import type { RunControl } from '../base/run.ts';
import { sourcesTogether } from '../planner/together.ts';
import type { Plan } from '../planner/plan.ts';
import type { ChangeQueue } from './change-queue.ts';
import type { EpochRange } from './results.ts';
import { readAgain } from './read-again.ts';
import type { EngineClock } from './engine-clock.ts';
import type { SourceRun } from './source-run.ts';

const POLL_WAIT_MS = 250;
/** How long a poll that is under way may hold up the end of a run, ms. */
const CLOSE_WAIT_MS = 1000;
/** Records of a partition by which it is found out where in time it is, and polls of a source that may be spent on that. */
const PROBE_RECORDS = 1000;
const PROBES = 3;

export interface Batch {
  readonly source: SourceRun;
  readonly chunks: readonly Chunk[];
}

export interface BatchesHost {
  readonly plan: Plan;
  readonly clock: EngineClock;
  readonly changes: ChangeQueue;
  /** Without sources: go on until the signal aborts, for the tables may change. */
  readonly keepOpen: boolean;
  readonly batchIntervalMs: number;
  readonly maxBatchRows: number;
  /** Sources are not kept together by event time: whoever feeds them decides. */
  readonly pollAll: boolean;
  readonly control?: RunControl | undefined;
}

/** Chooses what each epoch reads: polls the sources, and keeps them together by event time. */
export class Batches {
  private readonly host: BatchesHost;
  private readonly sources: readonly SourceRun[];
  /** By source, those whose rows it meets. */
  private readonly together: ReadonlyMap<string, ReadonlySet<string>>;
  private readonly polls = new Map<SourceRun, number>();

  constructor(host: BatchesHost, sources: readonly SourceRun[]) {
    this.host = host;
    this.sources = sources;
    this.together = sourcesTogether(host.plan);
  }

  get ended(): boolean {
    if (this.sources.length === 0) return !this.host.keepOpen;
    return this.sources.every((source) => source.exhausted && source.pending === undefined);
  }

  /** What is there for an epoch: waits until a source has something, or a table is to change, or a moment. */
  async next(signal: AbortSignal | undefined): Promise<readonly Batch[]> {
    const live = this.unpaused.filter((source) => !source.exhausted || source.pending !== undefined);
    this.startPolls(live);
    const ready = new Map<SourceRun, readonly Chunk[]>();
    const polled = live.filter((source) => source.pending !== undefined);
    const waits = polled.map(async (source) => {
      const chunks = await source.pending;
      ready.set(source, chunks ?? []);
    });
    if (live.length > 0 && polled.length === 0) waits.push(sleep(POLL_WAIT_MS));
    const changed = Promise.race([this.host.changes.arrival(), ...this.controlled()]);
    const bounded = live.length > 0 && live.every(isThere);
    // Bounded input is there already: all sources bring their part, so that they advance together.
    if (bounded) await Promise.race([Promise.all(waits), changed]);
    else await orAborted(Promise.race([...waits, changed, ...(live.length === 0 ? [this.clockTurns()] : [])]), signal);
    await new Promise((resolve) => setImmediate(resolve));
    if (bounded && ready.size < polled.length) return [];
    const batches: Batch[] = [];
    for (const [source, chunks] of ready) {
      source.pending = undefined;
      if (chunks.length > 0) batches.push({ source, chunks });
    }
    if (signal?.aborted !== true && batches.length > 0)
      this.startPolls(this.unpaused.filter((source) => !source.exhausted));
    return batches;
  }

  private get unpaused(): readonly SourceRun[] {
    const { control } = this.host;
    return control === undefined ? this.sources : this.sources.filter(({ name }) => !control.isPaused(name));
  }

  private controlled(): readonly Promise<void>[] {
    return this.host.control === undefined ? [] : [this.host.control.changed()];
  }

  /** Reads again what an epoch read, by source. Throws GAP where it is not what it was. */
  async again(ranges: readonly EpochRange[]): Promise<readonly Batch[]> {
    const batches: Batch[] = [];
    for (const source of this.sources) {
      const own = ranges.filter((range) => range.source === source.name);
      if (own.length === 0) continue;
      const chunks = await readAgain(source, own, this.host.maxBatchRows);
      batches.push({ source, chunks });
    }
    return batches;
  }

  /** Without a source nobody else wakes the run when the clock calls for an epoch. */
  private clockTurns(): Promise<void> {
    return this.host.clock.turns ? sleep(POLL_WAIT_MS) : new Promise(() => undefined);
  }

  private startPolls(sources: readonly SourceRun[]): void {
    const most = Math.max(1, Math.floor(this.host.maxBatchRows / Math.max(1, sources.length)));
    for (const source of sources) {
      if (source.pending !== undefined) continue;
      const partitions = this.host.pollAll ? 'all' : source.clock.allowed(this.reach(source, most));
      // All that it has is ahead of others.
      if (partitions !== 'all' && partitions.size === 0 && source.reader.partitions.length > 0) continue;
      const maxRecords = Math.min(most, this.probe(source));
      source.pending = source.reader.poll({ partitions, maxRecords, waitMs: POLL_WAIT_MS });
      // A failure surfaces where the poll is awaited; until then it is not unhandled.
      source.pending.catch(() => undefined);
    }
  }

  /** The event time up to which a source may read on: those that meet go on together, the last one first. */
  private reach(source: SourceRun, most: number): bigint | undefined {
    const met = this.together.get(source.name);
    const frontiers = this.sources.flatMap((other) =>
      other === source || met?.has(other.name) === true ? (other.clock.frontier(most) ?? []) : [],
    );
    if (frontiers.length === 0) return undefined;
    return frontiers.reduce((lowest, next) => (next.low < lowest.low ? next : lowest)).reach;
  }

  /** A partition of which nothing is known may be hours ahead: at first a little of each is read. */
  private probe(source: SourceRun): number {
    const unknown = source.clock.unknown();
    const polls = this.polls.get(source) ?? 0;
    const alone = source.reader.partitions.length === 1 && (this.together.get(source.name)?.size ?? 0) < 2;
    if (this.host.pollAll || unknown === 0 || alone || polls >= PROBES) return Infinity;
    this.polls.set(source, polls + 1);
    return unknown * PROBE_RECORDS;
  }

  /** A quiet stream's batches are at least the interval apart, so that each is worth its statements. */
  async pause(batches: readonly Batch[], started: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.sources.every(isThere)) return;
    const rows = batches.reduce(
      (sum, batch) => sum + batch.chunks.reduce((inner, chunk) => inner + chunk.records, 0),
      0,
    );
    const left = this.host.batchIntervalMs - (performance.now() - started);
    if (left <= 0 || rows >= this.host.maxBatchRows / 2) return;
    // Small because of the order of event times: what waits for it is no quiet.
    if (this.sources.some((source) => source.clock.frontier() !== undefined)) return;
    await sleep(left, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }

  /** Waits, but not long, for the polls that are under way, and lets go of what they bring. */
  async close(): Promise<void> {
    for (const source of this.sources) {
      const pending = await Promise.race([
        source.pending?.catch(() => []),
        sleep(CLOSE_WAIT_MS, undefined, { ref: false }),
      ]);
      for (const chunk of pending ?? []) chunk.release();
      await source.reader.close();
    }
  }
}

/** Whether all of its input is there already. */
const isThere = ({ operator }: SourceRun): boolean => operator.node.plan.bounded && operator.node.plan.live !== true;

/** Resolves when the work is over or the signal aborts. It leaves nothing on the signal, which lives as long as the run. */
async function orAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  let stop = (): void => undefined;
  const aborted = new Promise<void>((resolve) => (stop = resolve));
  signal?.addEventListener('abort', stop);
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
