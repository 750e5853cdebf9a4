import { fetchV17, ProtocolError } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import { showAddress } from '../address.ts';
import type { Broker } from './broker.ts';
import { READ_COMMITTED } from './cluster.ts';
import { FetchResponseParser, type FetchedPartition, type FetchResponse } from './fetch-response.ts';
import type { PartitionLog } from './partition-log.ts';
import { damaged, DamagedBatch, nextOffset, readBatches, type Layout } from './record-batch.ts';

export interface FetchTuning {
  /** How long the broker may wait for a first record, ms. */
  readonly maxWaitMs: number;
  /** The most bytes of one response. */
  readonly maxBytes: number;
  /** What all partitions together may hold before they are taken, bytes. */
  readonly prefetchBytes: number;
}

/** What a fetcher needs of its reader. */
export interface FetchHost {
  readonly layout: Layout;
  readonly tuning: FetchTuning;
  readonly partitionCount: number;
  /** `topicId`: its 32 digits. */
  partition(topicId: string, number: number): PartitionLog | undefined;
  /** The partitions that this node leads. */
  partitionsOf(node: number): readonly PartitionLog[];
  /** The node answered; something may have come. */
  arrived(node: number): void;
  /** The connection is lost. Resolves when it is worth trying again. */
  lost(node: number, error: unknown): Promise<void>;
  /** The broker refuses a partition. Resolves when it is worth trying again, or once the partition has failed. */
  refused(log: PartitionLog, code: number): Promise<void>;
  failed(log: PartitionLog, error: unknown): void;
}

interface Outcome {
  readonly asked: readonly PartitionLog[];
  readonly response?: FetchResponse;
  readonly error?: unknown;
}

/** While another partition of the broker waits for room, a long wait at the broker would hold it up. */
const SHORT_WAIT_MS = 5;
/** Bytes that were damaged on their way are whole the next time; the broker's own stay as they are. */
const DAMAGES = 4;
const FETCH = 1;
const FETCH_VERSION = 17;

/**
 * Keeps one fetch in flight to one broker for the partitions that it leads and that have room. The next one leaves
 * before the records of the last are copied: the headers alone tell where it goes on.
 */
export class Fetcher {
  private readonly node: number;
  private readonly broker: Broker;
  private readonly host: FetchHost;
  private readonly parser = new FetchResponseParser();
  private readonly finished: Promise<void>;
  private stopped = false;
  private rotation = 0;
  private wakeUp: (() => void) | undefined;

  constructor(node: number, broker: Broker, host: FetchHost) {
    this.node = node;
    this.broker = broker;
    this.host = host;
    this.finished = this.run();
  }

  get address(): string {
    return showAddress(this.broker.address);
  }

  /** There is room again, or something new to lead. */
  wake(): void {
    this.wakeUp?.();
  }

  async close(): Promise<void> {
    this.stopped = true;
    this.wake();
    await this.broker.close();
    await this.finished;
  }

  private async run(): Promise<void> {
    let pending: Promise<Outcome> | undefined;
    for (;;) {
      pending ??= this.send();
      if (this.stopped) break;
      if (pending === undefined) {
        await new Promise<void>((resolve) => (this.wakeUp = resolve));
        continue;
      }
      const { asked, response, error }: Outcome = await pending;
      pending = undefined;
      for (const log of asked) log.inFlight = false;
      if (this.stopped) break;
      if (response === undefined) {
        await this.host.lost(this.node, error);
        continue;
      }
      const fetched = this.advance(response);
      pending = this.send();
      for (const [log, part] of fetched) this.absorb(log, part, response.bytes);
      this.host.arrived(this.node);
      for (const [log, part] of fetched) if (part.error !== 0) await this.host.refused(log, part.error);
      if (response.throttleMs > 0) await sleep(Math.min(response.throttleMs, 1000));
    }
    for (const log of (await pending)?.asked ?? []) log.inFlight = false;
  }

  /** Reads the headers: where each partition's next fetch begins. */
  private advance(response: FetchResponse): [PartitionLog, FetchedPartition][] {
    const fetched: [PartitionLog, FetchedPartition][] = [];
    for (const part of response.partitions) {
      const log = this.host.partition(part.topicId, part.index);
      if (log === undefined) continue;
      // Asked for before a damaged batch was found in what comes before it.
      if (part.error === 0 && log.asked !== log.parsedTo) continue;
      fetched.push([log, part]);
      if (part.error !== 0) continue;
      log.lastStable = part.lastStable;
      log.logEnd = part.highWatermark >= 0 ? part.highWatermark : Infinity;
      log.answers++;
      const next = nextOffset(response.bytes, part.start, part.end);
      if (next !== undefined) log.fetchOffset = Math.max(log.fetchOffset, next);
      log.incoming = part.end - part.start;
    }
    return fetched;
  }

  private absorb(log: PartitionLog, part: FetchedPartition, bytes: Buffer): void {
    if (part.error !== 0) return;
    const before = log.bufferedBytes;
    log.aborted.announce(part.aborted);
    try {
      readBatches(bytes, part.start, part.end, log, this.host.layout);
      // A broker gives a whole batch, or nothing: https://cwiki.apache.org/confluence/display/KAFKA/KIP-74
      const isEmpty = part.start === part.end;
      if (!isEmpty && nextOffset(bytes, part.start, part.end) === undefined) throw damaged(log, 'it is cut short');
      if (!isEmpty) log.damages = 0;
      log.fetchOffset = Math.max(log.fetchOffset, log.parsedTo); // a bounded read may end before a batch that was cut short
    } catch (error) {
      if (error instanceof DamagedBatch && ++log.damages < DAMAGES) log.fetchOffset = log.parsedTo;
      else this.host.failed(log, error);
    }
    log.absorbed(part.end - part.start, before);
  }

  /** Undefined where no partition has room. Never rejects. */
  private send(): Promise<Outcome> | undefined {
    const { tuning } = this.host;
    const share = tuning.prefetchBytes / this.host.partitionCount;
    const wanting = this.host.partitionsOf(this.node).filter((log) => !log.fetched && !log.failed);
    const asked = wanting.filter((log) => !log.inFlight && log.wanted(share) > 0);
    if (asked.length === 0 || this.stopped) return undefined;
    // The broker fills a response in the order asked, and gives only the first partition with records a batch that is
    // larger than its limits: so each is to be the first in its turn.
    const first = this.rotation++ % asked.length;
    const topics: fetchV17.FetchRequestTopic[] = [];
    for (const log of [...asked.slice(first), ...asked.slice(0, first)]) {
      log.inFlight = true;
      log.asked = log.fetchOffset;
      const { topicId } = log;
      if (topics.at(-1)?.topicId !== topicId) topics.push({ topicId, partitions: [] });
      topics.at(-1)?.partitions.push({
        partition: log.partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(log.fetchOffset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: log.wanted(share),
      });
    }
    const waitMs = asked.length < wanting.length ? SHORT_WAIT_MS : tuning.maxWaitMs;
    return this.request(waitMs, topics).then(
      (response) => ({ asked, response }),
      (error: unknown) => ({ asked, error }),
    );
  }

  private async request(waitMs: number, topics: fetchV17.FetchRequestTopic[]): Promise<FetchResponse> {
    const connection = await this.broker.connect();
    const { maxBytes } = this.host.tuning;
    const response = await new Promise<FetchResponse>((resolve, reject) => {
      connection.send<FetchResponse>(
        FETCH,
        FETCH_VERSION,
        () => fetchV17.createRequest(waitMs, 1, maxBytes, READ_COMMITTED, 0, -1, topics, [], ''),
        this.parser.parse,
        true,
        true,
        (error, answer) =>
          error === null && answer !== undefined ? resolve(answer) : reject(this.broker.explained(error)),
      );
    });
    if (response.error !== 0) throw new ProtocolError(response.error);
    return response;
  }
}
