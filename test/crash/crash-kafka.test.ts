import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kafkaTitle, skipKafka, startBroker, type TestBroker } from '../support/kafka.ts';
import { playKafkaRound } from './kafka-round.ts';
import { report, withEveryPoint } from './round.ts';

const SEED = Number(process.env['STREAMSQL_CRASH_SEED'] ?? 21);

describe.skipIf(skipKafka !== undefined)(kafkaTitle('killed again and again, a run over a real Kafka'), () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker.stop());

  it('ends as if it had not been, and a read_committed client finds each row of its sink once', async () => {
    const round = await playKafkaRound(broker, SEED, withEveryPoint(6));
    console.log(report(round));
    expect(round.differences.length, report(round)).toBe(0);
    expect(round.story?.kills).toBeGreaterThanOrEqual(20);
  }, 900_000);
});
