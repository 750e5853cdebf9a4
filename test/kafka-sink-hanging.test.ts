import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Duck } from '../src/exec/duck.ts';
import { reading } from './support/kafka-reading.ts';
import { committed, Sinking } from './support/kafka-sinking.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, type TestBroker } from './support/kafka.ts';
import { LostAnswers, REQUEST } from './support/lost-answers.ts';

/** What KAFKA-20734 leaves behind: the coordinator has ended a transaction without one of its partitions. */
describe.skipIf(skipKafka !== undefined)(kafkaTitle('records of a Kafka sink that hang'), () => {
  let broker: TestBroker;
  let duck: Duck;
  beforeAll(async () => {
    // So that a partition takes records of a transaction that the coordinator does not know to be there.
    broker = await startBroker(undefined, { 'transaction.partition.verification.enable': 'false' });
    duck = await Duck.open(':memory:', { threads: '2' });
  });
  afterAll(async () => {
    duck.close();
    await broker.stop();
  });

  const sink = async (topic: string, resume?: { readonly epoch: number }): Promise<Sinking> => {
    const parts = { job: topic, ...(resume === undefined ? {} : { resume }) };
    const sinking = await Sinking.on(duck, { brokers: broker.address, topic }, parts);
    await sinking.writer.open();
    return sinking;
  };

  const seen = (topic: string): Promise<number> =>
    reading({ brokers: broker.address, topic, bounded: 'true' }, async (read) => (await read.drain()).count);

  it.each(['published', 'staged'])('of an epoch that was %s', async (how) => {
    await createTopic(broker, how);
    const first = await sink(how);
    await first.epoch(0, 'SELECT 0 AS n');
    const lost = new LostAnswers();
    lost.lose(REQUEST.addPartitions, 'pretended');
    await first.stage(1, 'SELECT 1 AS n');
    lost.restore();
    if (how === 'published') await first.writer.publish(1);
    expect(await seen(how)).toBe(1);
    first.crash();
    const second = await sink(how, { epoch: 1 });
    expect(await second.writer.isPublished(1)).toBe(how === 'published');
    expect(await seen(how)).toBe(how === 'published' ? 2 : 1);
    if (how === 'staged') await second.epoch(1, 'SELECT 1 AS n');
    await second.epoch(2, 'SELECT 2 AS n');
    const values = (await committed(broker, how)).map(({ value }) => JSON.parse(value ?? '') as unknown);
    expect(values).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
    await first.close();
    await second.close();
  });
});
