import { instant } from '../base/instant.ts';
import type { HeldBackReason } from '../base/run.ts';
import type { PartitionStatus, SourceStatus } from '../base/status.ts';

/** A partition, and what a source's watermark makes of it. Microseconds; `activeAt`: the engine's clock, ms. */
export interface PartitionStanding {
  readonly name: string;
  /** Up to where epochs have taken it. */
  readonly position: number;
  readonly end: number | undefined;
  readonly done: boolean;
  /** It has had nothing for so long that it holds no watermark back. */
  readonly idle: boolean;
  readonly latest: bigint | undefined;
  /** Of a file that has not begun: its first event time. */
  readonly first: bigint | undefined;
  /** When it last had something new. */
  readonly activeAt: number;
  /** It holds the watermark back. */
  readonly holds: boolean;
}

export interface SourceStanding {
  readonly eventTime: boolean;
  /** Microseconds. */
  readonly delay: bigint;
  readonly notice: string | undefined;
  /** Why its watermark stands where it does. */
  readonly reason?: HeldBackReason | undefined;
  readonly partitions: readonly PartitionStanding[];
}

export function partitionStatus(partition: PartitionStanding): PartitionStatus {
  const { name, position, end, latest, done, idle } = partition;
  const state = done ? 'done' : idle ? 'idle' : end !== undefined && position >= end ? 'at its end' : 'reading';
  return { name, position, end: end ?? null, latest: latest === undefined ? null : String(latest), state };
}

/** What holds a source's watermark where it is, in words. `now`: the engine's clock, ms. */
export function whatHolds(source: SourceStanding, now: number, paused = false): Pick<SourceStatus, 'heldBy' | 'why'> {
  const held = holder(source, now);
  return paused ? { ...held, why: `it is paused; ${held.why}` } : held;
}

function holder(source: SourceStanding, now: number): Pick<SourceStatus, 'heldBy' | 'why'> {
  const { eventTime, delay, notice, partitions, reason } = source;
  if (!eventTime) return { heldBy: null, why: 'it has no watermark: no event time is declared' };
  if (partitions.length === 0) return { heldBy: null, why: notice ?? 'there is nothing to read yet' };
  const slowest = partitions.find((partition) => partition.holds);
  if (slowest === undefined) {
    if (partitions.every((partition) => partition.done)) return { heldBy: null, why: 'it has ended' };
    const goes = reason === 'clock' ? 'goes on with the clock' : 'stands until something comes';
    return { heldBy: null, why: `all its partitions are idle: the watermark ${goes}` };
  }
  const trails = delay === 0n ? '' : `, less the delay of ${seconds(Number(delay / 1000n))}`;
  return { heldBy: slowest.name, why: [reasonOf(slowest, now, trails), notice ?? ''].filter(Boolean).join('; ') };
}

function reasonOf({ latest, first, end, position, activeAt }: PartitionStanding, now: number, trails: string): string {
  const backlog = end !== undefined && position < end;
  if (latest === undefined) {
    if (first !== undefined) return `it has not begun; its first record is of ${instant(first)}${trails}`;
    return backlog ? 'no record of it with an event time has been read yet' : 'it has no record with an event time yet';
  }
  const of = `its latest record is of ${instant(latest)}${trails}`;
  if (backlog) return `${of}; it is read up to ${position} of ${end}`;
  return `${of}, and came ${seconds(Math.max(0, now - activeAt))} ago`;
}

const seconds = (ms: number): string => (ms < 10_000 ? `${Math.round(ms / 100) / 10} s` : `${Math.round(ms / 1000)} s`);
