import { setTimeout as sleep } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reading } from './support/kafka-reading.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, withProducer, type TestBroker } from './support/kafka.ts';

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const PARTITIONS = 2;

describe.skipIf(skipKafka !== undefined)(kafkaTitle('a broker that goes away and comes back'), () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker.stop());

  /** n goes to partition n % 2, in small batches. */
  async function produce(topic: string, from: number, to: number): Promise<void> {
    const work = async (producer: Producer): Promise<void> => {
      for (let n = from; n < to; n += 500) {
        const messages = numbers(n, Math.min(n + 500, to)).map((i) => ({ partition: i % PARTITIONS, value: `${i}` }));
        await producer.send({ topic, messages, acks: -1 });
      }
    };
    // A busy broker answers late, and what is sent again must not be there twice.
    await withProducer(broker, work, { idempotent: true, maxInFlightRequests: 1 });
  }

  it.each([
    ['killed', (each: TestBroker) => each.kill()],
    ['stopped in good order', (each: TestBroker) => each.restart()],
  ])('%s while a topic is read: nothing lost, nothing twice', async (how, takeDown) => {
    const topic = how.replaceAll(' ', '-');
    await createTopic(broker, topic, PARTITIONS);
    await produce(topic, 0, 20_000);
    await reading({ brokers: broker.address, topic, prefetch: '20 kB', fetch_max_bytes: '10 kB' }, async (read) => {
      await read.until(5000);
      expect(read.count).toBeLessThan(20_000);
      await takeDown(broker);
      for (const until = Date.now() + 1500; Date.now() < until;) await read.poll(100, 100);
      await broker.restart();
      await produce(topic, 20_000, 24_000);
      await read.until(24_000, 60_000);
      for (const partition of [0, 1]) {
        expect(read.offsets(partition)).toEqual(numbers(0, 12_000));
        expect(read.lines(partition)).toEqual(numbers(0, 12_000).map((i) => `${2 * i + partition}`));
      }
      expect(read.notices).toContain(`waiting for broker ${broker.address}`);
      expect(read.notices.at(-1)).toBeUndefined();
    });
  });

  it('in the middle of a bounded read, which still ends where it said', async () => {
    await createTopic(broker, 'bounded', PARTITIONS);
    await produce('bounded', 0, 20_000);
    const options = {
      brokers: broker.address,
      topic: 'bounded',
      bounded: 'true',
      prefetch: '20 kB',
      fetch_max_bytes: '10 kB',
    };
    await reading(options, async (read) => {
      await read.until(3000);
      await broker.kill();
      const restarted = sleep(1000).then(() => broker.restart());
      await read.drain();
      await restarted;
      await produce('bounded', 20_000, 20_002);
      expect(await read.poll()).toBe(0);
      for (const partition of [0, 1]) expect(read.offsets(partition)).toEqual(numbers(0, 10_000));
    });
  });

  it('as it starts, is waited for', async () => {
    await createTopic(broker, 'starting');
    await produce('starting', 0, 0);
    await broker.kill();
    const restarted = broker.restart();
    const read = (): Promise<void> =>
      reading({ brokers: broker.address, topic: 'starting', bounded: 'true' }, async (opened) => {
        await opened.drain();
        expect(opened.reader.partitions).toMatchObject([{ position: 0, done: true }]);
      });
    const isGivenUp = (error: unknown): boolean => error instanceof Error && error.message.startsWith('no broker at');
    // On a busy machine a broker may take longer to start than a reader waits.
    for (let tries = 0; ; tries++) {
      try {
        await read();
        break;
      } catch (error) {
        if (tries === 5 || !isGivenUp(error)) throw error;
      }
    }
    await restarted;
  });

  it('does not keep a reader from closing while it is away', async () => {
    await createTopic(broker, 'closing');
    const closed = await reading({ brokers: broker.address, topic: 'closing' }, async (read) => {
      await read.poll(1, 100);
      await broker.kill();
      await read.poll(1, 1000);
      return performance.now();
    });
    expect(performance.now() - closed).toBeLessThan(5000);
    await broker.restart();
  });
});
