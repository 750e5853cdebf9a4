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
import type { Address } from './address.ts';
import { Cluster, EARLIEST, LATEST, type Topic } from './cluster.ts';
import { endsBefore, madeAnew, topicMark } from './gaps.ts';
import { GroupOffsets } from './group-offsets.ts';
import { Notices } from './notices.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Layout } from './record-batch.ts';
import { persist } from './retry.ts';
import { SegmentPool } from './segment.ts';
import { Subscription, type SubscriptionSettings } from './subscription.ts';
import { TakenChunks } from './taken-chunks.ts';

export interface KafkaSettings extends SubscriptionSettings {
  readonly brokers: readonly Address[];
  readonly start: 'earliest' | 'latest';
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

/** Reads one topic: a subscription fills the partitions' logs, and a poll takes from them. */
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
    this.cluster = new Cluster(settings.brokers, settings.topic, {
      clientId: settings.clientId,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      requestTimeoutMs: ANSWER_TIMEOUT_MS + settings.tuning.maxWaitMs,
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
    const { bounded, start, topic, groupId, discoveryMs } = this.settings;
    const { resume, skipped } = this.context;
    const deadline = Date.now() + OPEN_PATIENCE_MS;
    const found = await this.patiently(async () => await this.topic(), deadline);
    const indexes = [...found.leaders.keys()].sort((a, b) => a - b);
    if (resume !== undefined) checkKnown(resume, topic, found.id, indexes.length);
    const offsets = (at: typeof EARLIEST | typeof LATEST): Promise<Map<number, number>> =>
      this.patiently(() => cluster.offsets(indexes, at), deadline);
    const isLatest = start === 'latest' && resume === undefined;
    const ends = bounded || isLatest || resume !== undefined ? await offsets(LATEST) : undefined;
    const starts = isLatest ? ends : await offsets(EARLIEST);
    notices.clear(OPENING);
    const changed = (): void => this.wakePoll?.();
    const subscription = new Subscription(found.id, this.settings, {
      cluster,
      pool,
      notices,
      signal,
      skipped,
      changed,
    });
    for (const index of indexes) {
      const [first, end] = [starts?.get(index) ?? 0, ends?.get(index)];
      const known = resume?.partitions[index];
      const position = known?.position ?? first;
      // A bounded read ends where it said when it began.
      const stop = bounded ? (known?.end ?? end) : undefined;
      const reach = Math.max(position, stop ?? 0);
      if (known !== undefined && end !== undefined && reach > end) throw endsBefore(known.name, end, reach);
      subscription.add(index, position, first, stop);
    }
    this.ends = resume === undefined ? undefined : ends;
    this.subscription = subscription;
    subscription.route(found);
    this.group = new GroupOffsets(cluster, groupId, topic, () => this.chunks.released(subscription.logs));
    if (!bounded) this.discovery = setInterval(() => void subscription.refresh(), discoveryMs).unref();
  }

  async poll({ partitions, maxRecords, waitMs, upTo }: PollRequest): Promise<readonly Chunk[]> {
    const { subscription } = this;
    if (subscription === undefined)
      throw new StreamsqlError('INTERNAL', 'a Kafka source was polled before it was open');
    for (const [index, stop] of upTo ?? []) this.checkReach(index, stop);
    const mark = topicMark(subscription.topicId);
    const stopOf = (log: PartitionLog): number => (upTo === undefined ? Infinity : (upTo.get(log.index) ?? 0));
    const allowed = (log: PartitionLog): boolean =>
      (partitions === 'all' || partitions.has(log.index)) && log.position < stopOf(log);
    const deadline = performance.now() + waitMs;
    for (;;) {
      if (subscription.failure !== undefined) throw subscription.failure;
      const ready = subscription.logs.filter((log) => log.ready && allowed(log));
      if (ready.length > 0) {
        const chunks = await this.chunks.take(ready, maxRecords, stopOf, mark);
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
    if (end !== undefined && end < stop) throw endsBefore(`${this.settings.topic}-${index}`, end, stop);
  }

  private async topic(): Promise<Topic> {
    const topic = await this.cluster.topic();
    if (topic === undefined) throw await this.cluster.missing();
    return topic;
  }

  private async patiently<T>(attempt: () => Promise<T>, deadline: number): Promise<T> {
    let waited = false;
    const waiting = (): void => {
      waited = true;
      this.notices.set(OPENING, `waiting for broker ${this.cluster.addresses}`);
    };
    try {
      return await persist(attempt, { signal: this.signal, deadline, waiting });
    } catch (error) {
      if (!waited || !(error instanceof StreamsqlError) || error.cause === undefined) throw error;
      throw new StreamsqlError('SOURCE', `no broker at ${this.cluster.addresses}`, {
        hint: `is Kafka running there? ${error.message}`,
        cause: error.cause,
      });
    }
  }
}

const dialectOf = (layout: Layout): CsvDialect | undefined => (layout.format === 'csv' ? layout.dialect : undefined);

/** Partitions are known by their number, which is their place in the list. */
function checkKnown({ partitions }: SourceResume, topic: string, id: string, count: number): void {
  if (partitions.length > count) throw madeAnew(topic);
  for (const [index, { name, ordinal }] of partitions.entries()) {
    if (name !== `${topic}-${index}`)
      throw new StreamsqlError('INTERNAL', `partition ${index} of topic '${topic}' was known as ${name}`);
    if (ordinal !== undefined && ordinal !== topicMark(id)) throw madeAnew(topic);
  }
}
