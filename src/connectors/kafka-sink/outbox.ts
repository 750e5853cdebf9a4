import { ProtocolError } from '@platformatic/kafka';
import { StreamsqlError } from '../../base/errors.ts';
import type { Cluster, Topic } from '../kafka/cluster.ts';
import { CODE } from '../kafka/codes.ts';
import { mayPass } from '../kafka/retry.ts';
import { partitionOf } from './partitioner.ts';
import type { Patience } from './patience.ts';
import { produce, type Verdict } from './produce.ts';
import { BatchBuilder, stamp, type Batch, type Compression, type OutRecord } from './record-batch.ts';
import type { EpochRecord } from './rows.ts';

/** In whose name records are sent. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Null outside of transactions. */
  readonly transactionalId: string | null;
  /** Called before anything is sent to these partitions. */
  admit(partitions: readonly number[]): Promise<void>;
}

export interface OutboxSettings {
  readonly topic: string;
  readonly compression: Compression;
  /** The most bytes of a batch; a record that is larger goes alone. */
  readonly batchBytes: number;
}

/** A broker may not know its topics for a moment after it has started. */
const TOPIC_PATIENCE_MS = 10_000;
const SEQUENCES = 2 ** 31;

/** What one attempt left to be done. */
interface Outcome {
  readonly again: readonly Batch[];
  readonly tooLarge: readonly Batch[];
  readonly problem?: unknown;
}

/** Sends records to the partitions of one topic, a batch at a time to each, and each of them once in the name of a producer. */
export class Outbox {
  private readonly settings: OutboxSettings;
  private readonly cluster: Cluster;
  private readonly patience: Patience;
  private topic: Topic;
  private missingSince: number | undefined;
  /** Those of the beginning: a key stays where it is while the run lasts. */
  readonly partitions: readonly number[];
  private sequences = { of: '', next: new Map<number, number>() };
  private turn = 0;
  /** Smaller than asked for once the topic has refused a batch for its size. */
  private limit: number;

  constructor(settings: OutboxSettings, cluster: Cluster, patience: Patience, topic: Topic) {
    this.settings = settings;
    this.cluster = cluster;
    this.patience = patience;
    this.topic = topic;
    this.partitions = [...topic.leaders.keys()].sort((a, b) => a - b);
    this.limit = settings.batchBytes;
    patience.lookFor = () => this.refresh();
  }

  /** Resolves when all of them are in. Throws the broker's refusals as they are. */
  async send(records: readonly EpochRecord[], identity: ProducerIdentity): Promise<void> {
    const queues = Map.groupBy(this.batches(records), ({ partition }) => partition);
    await identity.admit([...queues.keys()]);
    const { producerId, producerEpoch } = identity;
    const of = `${producerId}/${producerEpoch}`;
    if (this.sequences.of !== of) this.sequences = { of, next: new Map() };
    for (;;) {
      const round = [...queues.values()].flatMap((queue) => queue.shift() ?? []);
      if (round.length === 0) return;
      for (const batch of await this.deliver(round, identity))
        queues.get(batch.partition)?.unshift(...this.split(batch));
    }
  }

  /** Sends a batch to each of some partitions; those that the topic finds too large. */
  private async deliver(round: readonly Batch[], identity: ProducerIdentity): Promise<readonly Batch[]> {
    const { producerId, producerEpoch, transactionalId } = identity;
    for (const batch of round) {
      const sequence = this.sequences.next.get(batch.partition) ?? 0;
      stamp(batch, { producerId, producerEpoch, sequence, transactional: transactionalId !== null });
    }
    const tooLarge: Batch[] = [];
    let left = round;
    await this.patience.with(async () => {
      const byLeader = Map.groupBy(left, ({ partition }) => this.topic.leaders.get(partition) ?? -1);
      const outcomes = await Promise.all(
        [...byLeader].map(([node, batches]) => this.ask(node, batches, transactionalId)),
      );
      left = outcomes.flatMap(({ again }) => again);
      tooLarge.push(...outcomes.flatMap((outcome) => outcome.tooLarge));
      const problems = outcomes.flatMap(({ problem }) => problem ?? []);
      const forGood = problems.find((problem) => !mayPass(problem));
      if (forGood !== undefined) throw forGood;
      if (problems.length === 0) return;
      await this.refresh();
      throw problems[0];
    });
    return tooLarge;
  }

  private async ask(node: number, batches: readonly Batch[], transactionalId: string | null): Promise<Outcome> {
    const address = this.cluster.addressOf(node);
    if (address === undefined) {
      return { again: batches, tooLarge: [], problem: new ProtocolError('LEADER_NOT_AVAILABLE') };
    }
    try {
      const verdicts = await produce(this.cluster.broker(address), this.settings.topic, transactionalId, batches);
      return this.judge(batches, verdicts);
    } catch (problem) {
      return { again: batches, tooLarge: [], problem };
    }
  }

  private judge(batches: readonly Batch[], verdicts: ReadonlyMap<number, Verdict>): Outcome {
    const again: Batch[] = [];
    const tooLarge: Batch[] = [];
    const problems: unknown[] = [];
    for (const batch of batches) {
      const { code, message } = verdicts.get(batch.partition) ?? { code: CODE.UNKNOWN_TOPIC_OR_PARTITION, message: '' };
      // A duplicate: an attempt whose answer was lost had come through.
      if (code === 0 || code === CODE.DUPLICATE_SEQUENCE_NUMBER) this.delivered(batch);
      else if (batch.records.length > 1 && TOO_LARGE.has(code)) tooLarge.push(batch);
      else {
        again.push(batch);
        problems.push(
          TOO_LARGE.has(code) ? recordTooLarge(this.settings.topic, batch) : new ProtocolError(code, message),
        );
      }
    }
    const forGood = problems.find((problem) => !mayPass(problem));
    return { again, tooLarge, problem: forGood ?? problems[0] };
  }

  private delivered({ partition, records }: Batch): void {
    const { next } = this.sequences;
    next.set(partition, ((next.get(partition) ?? 0) + records.length) % SEQUENCES);
  }

  /** The records of a batch in smaller ones. */
  private split(batch: Batch): readonly Batch[] {
    this.limit = Math.min(this.limit, Math.ceil(batch.bytes.length / 2));
    const middle = Math.ceil(batch.records.length / 2);
    const halves = [batch.records.slice(0, middle), batch.records.slice(middle)];
    return halves.flatMap((records) => this.pack(records.map((record) => ({ partition: batch.partition, record }))));
  }

  private batches(records: readonly EpochRecord[]): readonly Batch[] {
    const count = this.partitions.length;
    this.turn++;
    return this.pack(
      records.map((record) => {
        const tells = record.key ?? record.place;
        const place = tells === undefined ? this.turn % count : partitionOf(tells, count);
        return { partition: this.partitions[place] ?? 0, record };
      }),
    );
  }

  /** In batches, those of one partition in order. */
  private pack(records: Iterable<{ readonly partition: number; readonly record: OutRecord }>): readonly Batch[] {
    const now = Date.now();
    const full: Batch[] = [];
    const open = new Map<number, BatchBuilder>();
    const build = (builder: BatchBuilder): void => void full.push(builder.build(this.settings.compression, now));
    for (const { partition, record } of records) {
      const builder = open.get(partition);
      if (builder?.add(record) === true) continue;
      if (builder !== undefined) build(builder);
      const next = new BatchBuilder(partition, this.limit);
      next.add(record);
      open.set(partition, next);
    }
    for (const builder of open.values()) build(builder);
    return full;
  }

  /** Who leads what now. */
  private async refresh(): Promise<void> {
    const topic = await this.cluster.topic(this.settings.topic);
    if (topic === undefined) {
      this.missingSince ??= Date.now();
      if (Date.now() - this.missingSince > TOPIC_PATIENCE_MS) throw await this.cluster.missing(this.settings.topic);
      return;
    }
    this.missingSince = undefined;
    if (topic.id !== this.topic.id) {
      throw new StreamsqlError(
        'SINK',
        `topic '${this.settings.topic}' was deleted and made anew while it was written`,
        {
          hint: 'what was in it is gone: run from the start, with --fresh',
        },
      );
    }
    this.topic = topic;
  }
}

const TOO_LARGE: ReadonlySet<number> = new Set([CODE.MESSAGE_TOO_LARGE, CODE.RECORD_LIST_TOO_LARGE]);

function recordTooLarge(topic: string, batch: Batch): StreamsqlError {
  return new StreamsqlError('SINK', `a record of ${batch.bytes.length} bytes is larger than topic '${topic}' takes`, {
    hint: "raise the topic's max.message.bytes (the broker's message.max.bytes), or select less",
  });
}
