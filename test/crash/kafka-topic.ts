import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestBroker } from '../support/kafka.ts';
import { withAdmin, withProducer } from '../support/kafka.ts';
import type { Bids } from './input.ts';

const RECORDS_A_SEND = 40;
const PAUSE_MS = 20;

/** Writes a topic little by little, always as much as was released so far. */
export class SlowProducer {
  private readonly left: { partition: number; value: string }[];
  private released = 0;
  private failure: unknown;
  private readonly work: Promise<void>;
  private ended = false;

  constructor(broker: TestBroker, topic: string, { partitions }: Bids) {
    const longest = Math.max(...partitions.map((values) => values.length));
    // Round and round, so that no partition is far behind; the last record of each comes at the very end.
    const rows = Array.from({ length: longest }, (_, i) =>
      partitions.flatMap((values, partition) => {
        const value = values[i - (longest - values.length)];
        return value === undefined ? [] : [{ partition, value }];
      }),
    );
    this.left = rows.flat();
    this.work = withProducer(broker, async (producer) => {
      while (this.left.length > 0 && !this.ended) {
        const messages = this.left.splice(0, Math.min(RECORDS_A_SEND, this.released));
        this.released -= messages.length;
        if (messages.length > 0) await producer.send({ topic, messages, acks: -1 });
        await sleep(PAUSE_MS);
      }
    });
    this.work.catch((error: unknown) => (this.failure = error));
  }

  /** Allows a share of what is left; with 1 all of it. */
  release(share: number): void {
    this.released = Math.max(this.released, Math.ceil(this.left.length * share));
    if (this.failure !== undefined) throw this.failure;
  }

  async close(): Promise<void> {
    this.ended = true;
    await this.work;
  }
}

const END = 'the end of the topic';

/**
 * Reads a topic from its start as a read_committed client that is not ours, into `out/NAME` of a folder, as a file sink
 * would have written it. A record of our own ends each partition; where a transaction is left open, it never comes.
 */
export async function dumpTopic(broker: TestBroker, topic: string, folder: string, name: string): Promise<void> {
  const partitions = await withAdmin(
    broker,
    async (admin) => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length ?? 0,
  );
  await withProducer(broker, async (producer) => {
    const messages = Array.from({ length: partitions }, (_, partition) => ({ partition, value: END }));
    await producer.send({ topic, messages, acks: -1 });
  });
  const consumer = broker.client.consumer({ groupId: `${topic}-reader`, readUncommitted: false });
  await consumer.connect();
  const values: string[] = [];
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    const ended = new Set<number>();
    await new Promise<void>((done, fail) => {
      const overdue = setTimeout(() => fail(new Error(`${topic}: no read_committed client gets to its end`)), 30_000);
      consumer
        .run({
          eachMessage: async ({ partition, message }) => {
            const value = message.value?.toString() ?? '';
            if (value !== END) values.push(value);
            else if (ended.add(partition).size === partitions) done(clearTimeout(overdue));
            return Promise.resolve();
          },
        })
        .catch(fail);
    });
  } finally {
    await consumer.disconnect();
  }
  mkdirSync(join(folder, 'out', name), { recursive: true });
  writeFileSync(join(folder, 'out', name, 'part.json'), values.map((value) => `${value}\n`).join(''));
}
