import { findCoordinatorV6, offsetCommitV9 } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from './address.ts';
import type { Cluster } from './cluster.ts';

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
  private readonly topic: string;
  private readonly offsets: () => ReadonlyMap<number, number>;
  private readonly timer: NodeJS.Timeout;
  private readonly written = new Map<number, number>();
  private coordinator: Address | undefined;
  private running: Promise<void>;

  constructor(cluster: Cluster, group: string, topic: string, offsets: () => ReadonlyMap<number, number>) {
    this.cluster = cluster;
    this.group = group;
    this.topic = topic;
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
    const moved = [...this.offsets()].filter(([partition, offset]) => this.written.get(partition) !== offset);
    if (moved.length === 0) return;
    if (this.coordinator === undefined) await this.find();
    if (this.coordinator === undefined) return;
    const partitions = moved.map(([partitionIndex, offset]) => ({
      partitionIndex,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: -1,
      committedMetadata: '',
    }));
    const broker = this.cluster.broker(this.coordinator);
    await broker.call(offsetCommitV9.api, this.group, -1, '', null, [{ name: this.topic, partitions }]);
    for (const [partition, offset] of moved) this.written.set(partition, offset);
  }
}
