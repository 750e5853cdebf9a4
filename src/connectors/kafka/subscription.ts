import { ProtocolError } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceContext } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { showAddress } from '../address.ts';
import { EARLIEST, LATEST, type Cluster, type Topic } from './cluster.ts';
import { brokerCodes, CODE, codeName, passes } from './codes.ts';
import { Fetcher, type FetchHost, type FetchTuning } from './fetcher.ts';
import { endsBefore, goneOffsets, madeAnew } from './gaps.ts';
import type { Notices } from '../notices.ts';
import { PartitionLog } from './partition-log.ts';
import type { Layout } from './record-batch.ts';
import { asSourceError, mayPass, persist } from './retry.ts';
import type { SegmentPool } from './segment.ts';
import { awaited, nameOf, partitionsOf, type TopicPartition, type TopicSelection } from './topics.ts';

/** A broker that has just started may not know its topics for a moment. */
const TOPIC_PATIENCE_MS = 10_000;
const REFUSED_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;
/** The key of notices about the cluster; those about a node go by its id. */
const CLUSTER = -1;
const TOPICS = -3;

export interface SubscriptionSettings {
  readonly topics: TopicSelection;
  /** Topics that are not there are waited for. */
  readonly waitForTopic: boolean;
  readonly layout: Layout;
  readonly tuning: FetchTuning;
  readonly bounded: boolean;
}

export interface SubscriptionContext {
  readonly cluster: Cluster;
  readonly pool: SegmentPool;
  readonly notices: Notices;
  readonly signal: AbortSignal;
  readonly skipped: SourceContext['skipped'];
  /** Something came, or failed: whoever waits is to look again. */
  changed(): void;
}

/** Keeps every partition of the topics being fetched from whichever broker leads it, for as long as it takes. */
export class Subscription implements FetchHost {
  readonly logs: PartitionLog[] = [];
  readonly layout: Layout;
  readonly tuning: FetchTuning;
  /** What ended it. */
  failure: unknown;
  private readonly settings: SubscriptionSettings;
  private readonly context: SubscriptionContext;
  /** By the digits of the topic's id, and the partition's number. */
  private readonly byTopic = new Map<string, Map<number, PartitionLog>>();
  private readonly fetchers = new Map<number, Fetcher>();
  private readonly failures = new Map<number, number>();
  private refreshing: Promise<void> | undefined;
  private looksAgain = false;

  constructor(settings: SubscriptionSettings, context: SubscriptionContext) {
    this.layout = settings.layout;
    this.tuning = settings.tuning;
    this.settings = settings;
    this.context = context;
  }

  get partitionCount(): number {
    return this.logs.length;
  }

  partition(topicId: string, number: number): PartitionLog | undefined {
    return this.byTopic.get(topicId)?.get(number);
  }

  partitionsOf(node: number): readonly PartitionLog[] {
    return this.logs.filter((log) => log.leader === node);
  }

  /** Of a partition's log there is what begins at `first`: where that is behind `start`, a gap. */
  add({ topic, topicId, partition }: TopicPartition, start: number, first: number, stop?: number): void {
    const log = new PartitionLog(topic, partition, start, stop, this.context.pool, {
      index: this.logs.length,
      topicId,
    });
    if (start < first) this.passGap(log, first);
    this.logs.push(log);
    const digits = topicId.replaceAll('-', '');
    const siblings = this.byTopic.get(digits) ?? new Map<number, PartitionLog>();
    this.byTopic.set(digits, siblings.set(partition, log));
  }

  /** Fetches what was added, and looks for what is not there yet. */
  begin(topics: readonly Topic[]): void {
    this.route(topics);
    if (this.awaitTopics(topics)) this.lookAgain();
  }

  /** Hands each partition to the fetcher of the node that leads it. */
  private route(topics: readonly Topic[]): void {
    const leaders = new Map(topics.map((topic) => [topic.id, topic.leaders]));
    for (const log of this.logs) {
      log.leader = leaders.get(log.topicId)?.get(log.partition) ?? -1;
      const address = this.context.cluster.addressOf(log.leader);
      if (address === undefined || this.context.signal.aborted) continue;
      const present = this.fetchers.get(log.leader);
      if (present?.address === showAddress(address)) continue;
      void present?.close(); // the node has moved
      this.fetchers.set(log.leader, new Fetcher(log.leader, this.context.cluster.fetchConnection(address), this));
    }
    for (const node of this.failures.keys()) if (this.partitionsOf(node).length === 0) this.recovered(node);
    this.wake();
  }

  /** There is room for more. */
  wake(): void {
    for (const fetcher of this.fetchers.values()) fetcher.wake();
  }

  /** Asks who leads what, until someone answers. */
  refresh(): Promise<void> {
    if (this.context.signal.aborted) return Promise.resolve();
    return (this.refreshing ??= this.ask().finally(() => (this.refreshing = undefined)));
  }

  /** In a while; once, however often that is asked for meanwhile. */
  private lookAgain(): void {
    if (this.looksAgain) return;
    this.looksAgain = true;
    void this.pause(LONGEST_PAUSE_MS).then(() => {
      this.looksAgain = false;
      return this.refresh();
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.fetchers.values()].map((fetcher) => fetcher.close()));
    await this.refreshing;
  }

  arrived(node: number): void {
    this.recovered(node);
    this.context.changed();
  }

  async lost(node: number, error: unknown): Promise<void> {
    if (this.context.signal.aborted) return;
    if (!mayPass(error)) return this.fail(error);
    const address = this.context.cluster.addressOf(node);
    this.context.notices.set(node, `waiting for broker ${address === undefined ? node : showAddress(address)}`);
    const failures = this.failures.get(node) ?? 0;
    this.failures.set(node, failures + 1);
    await this.pause(Math.min(50 * 2 ** failures, LONGEST_PAUSE_MS));
    await this.refresh();
  }

  async refused(log: PartitionLog, code: number): Promise<void> {
    if (code === CODE.OFFSET_OUT_OF_RANGE) return await this.outOfRange(log);
    if (!passes(code)) {
      return this.failed(log, new StreamsqlError('SOURCE', `${log.name}: the broker refuses: ${codeName(code)}`));
    }
    await this.pause(REFUSED_PAUSE_MS);
    await this.refresh();
  }

  failed(log: PartitionLog, error: unknown): void {
    log.failed = true;
    this.fail(error);
  }

  private recovered(node: number): void {
    this.failures.delete(node);
    this.context.notices.clear(node);
  }

  private fail(error: unknown): void {
    this.failure ??= asSourceError(error);
    this.context.changed();
  }

  private async ask(): Promise<void> {
    const { cluster, notices, signal } = this.context;
    const since = Date.now();
    const waiting = (error: unknown): void => {
      // `find` has said which.
      if (!brokerCodes(error).includes(CODE.UNKNOWN_TOPIC_OR_PARTITION))
        notices.set(CLUSTER, `waiting for broker ${cluster.addresses}`);
    };
    try {
      const topics = await persist(async () => await this.find(since), { signal, waiting });
      if (!this.settings.bounded) await this.addNew(topics);
      this.route(topics);
      const leaderless = this.logs.find((log) => cluster.addressOf(log.leader) === undefined);
      if (leaderless === undefined) notices.clear(CLUSTER);
      else notices.set(CLUSTER, `waiting for a leader of ${leaderless.name}`);
      if (this.awaitTopics(topics) || leaderless !== undefined) this.lookAgain();
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  private async find(since: number): Promise<Topic[]> {
    const { topics: selection } = this.settings;
    const topics = await this.context.cluster.topics(selection);
    for (const { topic, topicId } of this.logs) {
      const found = topics.find((each) => each.name === topic);
      if (found !== undefined && found.id !== topicId) throw madeAnew(topic);
      if (found !== undefined) continue;
      if (Date.now() - since > TOPIC_PATIENCE_MS) throw await this.context.cluster.missing(topic);
      this.context.notices.set(CLUSTER, `looking for topic ${topic}, which is gone`);
      throw new ProtocolError('UNKNOWN_TOPIC_OR_PARTITION');
    }
    return topics;
  }

  /** Says what is not there yet. False where all is. */
  private awaitTopics(topics: readonly Topic[]): boolean {
    const { topics: selection, bounded } = this.settings;
    const missing = bounded ? undefined : awaited(selection, topics);
    if (missing === undefined) this.context.notices.clear(TOPICS);
    else this.context.notices.set(TOPICS, `waiting for ${missing}`);
    return missing !== undefined;
  }

  /**
   * Partitions and topics that were added are read from their beginning, wherever the others began. One that cannot be asked
   * for that yet is left for the next look: the others may need this one.
   */
  private async addNew(topics: readonly Topic[]): Promise<void> {
    const { cluster } = this.context;
    const known = new Set(this.logs.map((log) => log.name));
    const found = partitionsOf(topics, this.settings.topics).filter((each) => !known.has(nameOf(each)));
    const leaders = new Map(topics.map((topic) => [topic.id, topic.leaders]));
    const leaderOf = ({ topicId, partition }: TopicPartition): number => leaders.get(topicId)?.get(partition) ?? -1;
    const added = found.filter((each) => cluster.addressOf(leaderOf(each)) !== undefined);
    if (added.length < found.length) this.lookAgain();
    if (added.length === 0) return;
    try {
      const starts = await cluster.offsets(added, EARLIEST);
      for (const each of added) this.add(each, starts.get(nameOf(each)) ?? 0, 0);
    } catch (error) {
      if (!mayPass(error)) throw error;
      this.lookAgain();
    }
  }

  private async outOfRange(log: PartitionLog): Promise<void> {
    const { cluster, signal } = this.context;
    const at = async (when: typeof EARLIEST | typeof LATEST): Promise<number> =>
      (await persist(() => cluster.offsets([log], when), { signal, waiting: () => {} })).get(log.name) ?? 0;
    try {
      const [first, end] = [await at(EARLIEST), await at(LATEST)];
      if (log.fetchOffset < first) this.passGap(log, first);
      if (log.fetchOffset > end) throw endsBefore(log.name, end, log.fetchOffset);
      await this.pause(REFUSED_PAUSE_MS);
    } catch (error) {
      if (!signal.aborted) this.failed(log, error);
    }
  }

  private passGap(log: PartitionLog, first: number): void {
    const { skipped } = this.context;
    const to = Math.min(first, log.stop ?? first);
    if (skipped === undefined) throw goneOffsets(log.name, log.parsedTo, to);
    skipped(log.name, log.parsedTo, to);
    log.skipTo(first);
    this.context.changed();
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.context.signal }).catch(() => undefined);
  }
}
