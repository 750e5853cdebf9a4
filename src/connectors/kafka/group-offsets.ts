import { findCoordinatorV6, offsetCommitV9 } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../address.ts';
import type { Cluster } from './cluster.ts';
import type { PartitionLog } from './partition-log.ts';

const INTERVAL_MS = 5000;
const LAST_COMMIT_MS = 1000;
const GROUP = 0;

/**
 * Writes how far the reader is into a consumer group, so that the usual tools show its lag. Nothing reads it back, so
 * it is done at leisure and whatever fails is left for the next time.
 */
export class GroupOffsets {
  private readonly cluster: Cluster;
  private readonly group: string;
  private readonly offsets: () => ReadonlyMap<PartitionLog, number>;
  private readonly timer: NodeJS.Timeout;
  private readonly written = new Map<PartitionLog, number>();
  private coordinator: Address | undefined;
  private running: Promise<void>;

  constructor(cluster: Cluster, group: string, offsets: () => ReadonlyMap<PartitionLog, number>) {
    this.cluster = cluster;
    this.group = group;
    this.offsets = offsets;
    this.timer = setInterval(() => void this.commit(), INTERVAL_MS).unref();
    // The first question for a coordinator makes the broker create what it keeps offsets in, which takes a while.
    this.running = this.attempt(() => this.find());
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.race([this.commit(), sleep(LAST_COMMIT_MS, undefined, { ref: false })]);
  }

  private commit(): Promise<void> {
    this.running = this.running.then(() => this.attempt(() => this.write()));
    return this.running;
  }

  private async attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch {
      this.coordinator = undefined;
    }
  }

  private async find(): Promise<void> {
    const answer = await this.cluster.anyone((broker) => broker.call(findCoordinatorV6.api, GROUP, [this.group]));
    this.coordinator = answer.coordinators[0];
  }

  private async write(): Promise<void> {
    const moved = [...this.offsets()].filter(([log, offset]) => this.written.get(log) !== offset);
    if (moved.length === 0) return;
    if (this.coordinator === undefined) await this.find();
    if (this.coordinator === undefined) return;
    const topics = [...Map.groupBy(moved, ([log]) => log.topic)].map(([name, own]) => ({
      name,
      partitions: own.map(([log, offset]) => ({
        partitionIndex: log.partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: '',
      })),
    }));
    await this.cluster.broker(this.coordinator).call(offsetCommitV9.api, this.group, -1, '', null, topics);
    for (const [log, offset] of moved) this.written.set(log, offset);
  }
}
