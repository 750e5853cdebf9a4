import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Duck } from '../src/exec/duck.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, type TestBroker } from './support/kafka.ts';
import { reading } from './support/kafka-reading.ts';
import { committed, Sinking, type SinkOptions } from './support/kafka-sinking.ts';

describe.skipIf(skipKafka !== undefined)(kafkaTitle('the Kafka sink'), () => {
  let broker: TestBroker;
  let duck: Duck;
  beforeAll(async () => {
    broker = await startBroker();
    duck = await Duck.open(':memory:', { threads: '2' });
  });
  afterAll(async () => {
    duck.close();
    await broker.stop();
  });

  const opened: Sinking[] = [];
  async function sink(
    options: Readonly<Record<string, string>>,
    parts: Parameters<typeof Sinking.on>[2] = {},
    shape?: SinkOptions,
  ): Promise<Sinking> {
    const sinking = await Sinking.on(duck, { brokers: broker.address, ...options }, parts, shape);
    opened.push(sinking);
    await sinking.writer.open();
    return sinking;
  }

  const values = async (topic: string): Promise<readonly unknown[]> =>
    (await committed(broker, topic)).map(({ value }) => JSON.parse(value ?? 'null') as unknown);

  /** How many records are seen while a transaction may be open; kafkajs cannot tell where they end then. */
  const stable = (topic: string): Promise<number> =>
    reading({ brokers: broker.address, topic, bounded: 'true' }, async (read) => (await read.drain()).count);

  it('an epoch is seen when it is published', async () => {
    await createTopic(broker, 'plain');
    const out = await sink({ topic: 'plain' }, { job: 'plain' });
    await out.stage(0, 'SELECT range AS n FROM range(3)');
    expect(await stable('plain')).toBe(0);
    await out.writer.publish(0);
    await out.epoch(1, 'SELECT 3 AS n');
    expect(await values('plain')).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }]);
    await out.close();
  });
});
