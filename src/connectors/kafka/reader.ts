import type {
  Chunk,
  CsvDialect,
  PartitionState,
  PollRequest,
  SourceContext,
  SourceReader,
  SourceResume,
} from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { Address } from '../address.ts';
import { Cluster, type Topic } from './cluster.ts';
import { brokerCodes } from './codes.ts';
import { endsBefore, gone, madeAnew, topicMark } from './gaps.ts';
import { GroupOffsets } from './group-offsets.ts';
import { Notices } from '../notices.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Layout } from './record-batch.ts';
import { unreachable } from './refusal.ts';
import { asSourceError, insist, mayPass } from './retry.ts';
import type { Security } from './security.ts';
import { SegmentPool } from './segment.ts';
import { beginsAfter, extentOf, type Start } from './start.ts';
import { Subscription, type SubscriptionSettings } from './subscription.ts';
import { TakenChunks } from './taken-chunks.ts';
import { missingOf, nameOf, partitionsOf, shown, type TopicPartition } from './topics.ts';

export interface KafkaSettings extends SubscriptionSettings {
  readonly brokers: readonly Address[];
  readonly security: Security;
  readonly start: Start;
  readonly groupId: string;
  readonly clientId: string;
  /** How often to look for new partitions, ms. */
  readonly discoveryMs: number;
}

const OPEN_PATIENCE_MS = 10_000;
const CONNECT_TIMEOUT_MS = 3000;
const ANSWER_TIMEOUT_MS = 10_000;
/** The key of what `open` waits for among the notices; nodes have theirs from 0. */
const OPENING = -2;

/** Reads topics: a subscription fills the partitions' logs, and a poll takes from them. */
export class KafkaReader implements SourceReader {
  private readonly settings: KafkaSettings;
  private readonly cluster: Cluster;
  private readonly pool = new SegmentPool();
  private readonly chunks: TakenChunks;
  private readonly notices: Notices;
  private readonly stopping = new AbortController();
  private readonly signal: AbortSignal;
  private readonly context: Pick<SourceContext, 'resume' | 'skipped'>;
  /** Where each partition ended at `open`, where the run goes on. */
  private ends: ReadonlyMap<number, number> | undefined;
  private subscription: Subscription | undefined;
  private discovery: NodeJS.Timeout | undefined;
  private group: GroupOffsets | undefined;
  private wakePoll: (() => void) | undefined;

  constructor(settings: KafkaSettings, context: SourceContext) {
    this.settings = settings;
    this.context = context;
    this.signal = AbortSignal.any([context.signal, this.stopping.signal]);
    this.cluster = new Cluster(settings.brokers, {
      clientId: settings.clientId,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      requestTimeoutMs: ANSWER_TIMEOUT_MS + settings.tuning.maxWaitMs,
      security: settings.security,
    });
    this.chunks = new TakenChunks(context.scratch, context.parallelism, this.pool, dialectOf(settings.layout));
    this.notices = new Notices((message) => context.notice(message));
  }

  get partitions(): readonly PartitionState[] {
    return this.subscription?.logs ?? [];
  }

  /** Waits some seconds for a broker; after that one that goes away is waited for without end. */
  async open(): Promise<void> {
    const { cluster, pool, notices, signal } = this;
    const { bounded, start, topics: selection, groupId, discoveryMs } = this.settings;
    const { resume, skipped } = this.context;
    const found = await this.patiently(async () => await this.topics(), Date.now() + OPEN_PATIENCE_MS);
    const partitions = inOrder(resume, partitionsOf(found, selection));
    const from = resume === undefined ? start : FROM_THE_FIRST;
    const extent = await extentOf(cluster, partitions, from, (attempt) => this.patiently(attempt));
    notices.clear(OPENING);
    const changed = (): void => this.wakePoll?.();
    const subscription = new Subscription(this.settings, { cluster, pool, notices, signal, skipped, changed });
    for (const [index, each] of partitions.entries()) {
      const name = nameOf(each);
      const [first, end] = [extent.firsts.get(name) ?? 0, extent.ends.get(name) ?? 0];
      const known = resume?.partitions[index];
      const position = known?.position ?? extent.starts.get(name) ?? first;
      // A bounded read ends where it said when it began.
      const stop = bounded ? (known?.end ?? end) : undefined;
      const reach = Math.max(position, stop ?? 0);
      if (known !== undefined && reach > end) throw endsBefore(name, end, reach);
      if (known === undefined && position < first && skipped === undefined) throw beginsAfter(name, first, position);
      subscription.add(each, position, first, stop);
    }
    if (resume !== undefined) this.ends = new Map(partitions.map((each, i) => [i, extent.ends.get(nameOf(each)) ?? 0]));
    this.subscription = subscription;
    subscription.begin(found);
    this.group = new GroupOffsets(cluster, groupId, () => this.chunks.released(subscription.logs));
    if (!bounded) this.discovery = setInterval(() => void subscription.refresh(), discoveryMs).unref();
  }

  async poll({ partitions, maxRecords, waitMs, upTo }: PollRequest): Promise<readonly Chunk[]> {
    const { subscription } = this;
    if (subscription === undefined)
      throw new StreamsqlError('INTERNAL', 'a Kafka source was polled before it was open');
    for (const [index, stop] of upTo ?? []) this.checkReach(index, stop);
    const stopOf = (log: PartitionLog): number => (upTo === undefined ? Infinity : (upTo.get(log.index) ?? 0));
    const allowed = (log: PartitionLog): boolean =>
      (partitions === 'all' || partitions.has(log.index)) && log.position < stopOf(log);
    const deadline = performance.now() + waitMs;
    for (;;) {
      if (subscription.failure !== undefined) throw subscription.failure;
      const ready = subscription.logs.filter((log) => log.ready && allowed(log));
      if (ready.length > 0) {
        const chunks = await this.chunks.take(ready, maxRecords, stopOf);
        subscription.wake();
        return chunks;
      }
      const over = subscription.logs.every((log) => log.done || !allowed(log));
      const left = deadline - performance.now();
      if (over || left <= 0 || this.signal.aborted) return [];
      await this.change(left);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.discovery);
    await this.group?.close();
    this.stopping.abort();
    await this.subscription?.close();
    await this.cluster.close();
  }

  /** Until something changes, at most so long. */
  private change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.signal.removeEventListener('abort', wake);
        this.wakePoll = undefined;
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.signal.addEventListener('abort', wake);
      this.wakePoll = wake;
    });
  }

  /** What was read once must be there up to its end. */
  private checkReach(index: number, stop: number): void {
    const end = this.ends?.get(index);
    if (end !== undefined && end < stop) throw endsBefore(this.partitions[index]?.name ?? '', end, stop);
  }

  /** Throws where one is not there that is not waited for. */
  private async topics(): Promise<Topic[]> {
    const { topics: selection, bounded, waitForTopic } = this.settings;
    const found = await this.cluster.topics(selection);
    const missing = missingOf(selection, found);
    if (missing !== undefined && (bounded || !waitForTopic)) throw await this.cluster.missing(missing);
    if (bounded && found.length === 0)
      throw new StreamsqlError('SOURCE', `no topic at ${this.cluster.addresses} matches ${shown(selection)}`, {
        hint: 'a topic matches as a whole; without bounded = true it is waited for',
      });
    return found;
  }

  private async patiently<T>(attempt: () => Promise<T>, deadline?: number): Promise<T> {
    const waiting = (): void => this.notices.set(OPENING, `waiting for broker ${this.cluster.addresses}`);
    try {
      return await insist(attempt, { signal: this.signal, deadline, waiting });
    } catch (error) {
      if (!mayPass(error) || brokerCodes(error).length > 0) throw asSourceError(error);
      const [message, hint] = unreachable(error, this.cluster.addresses, this.settings.security);
      throw new StreamsqlError('SOURCE', message, { hint, cause: error });
    }
  }
}

const dialectOf = (layout: Layout): CsvDialect | undefined => (layout.format === 'csv' ? layout.dialect : undefined);

const FROM_THE_FIRST: Start = { at: 'earliest', offsets: new Map() };

/** Those that were known keep their places; the others follow. */
function inOrder(resume: SourceResume | undefined, partitions: readonly TopicPartition[]): TopicPartition[] {
  const left = new Map(partitions.map((each) => [nameOf(each), each]));
  const topics = new Set(partitions.map((each) => each.topic));
  const known = (resume?.partitions ?? []).map(({ name, ordinal }) => {
    const found = left.get(name);
    const topic = name.slice(0, name.lastIndexOf('-'));
    if (found === undefined) throw topics.has(topic) ? madeAnew(topic) : gone(name);
    if (ordinal !== undefined && ordinal !== topicMark(found.topicId)) throw madeAnew(topic);
    left.delete(name);
    return found;
  });
  return [...known, ...left.values()];
}
