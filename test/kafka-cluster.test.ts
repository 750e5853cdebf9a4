import type { Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { open } from '../src/engine.ts';
import { startTestCluster, type TestCluster } from './support/kafka-cluster.ts';
import { reading, type Reading } from './support/kafka-reading.ts';
import { committed } from './support/kafka-sinking.ts';
import { kafkaTitle, skipKafka, withAdmin, withProducer } from './support/kafka.ts';

const PARTITIONS = 3;

describe.skipIf(skipKafka !== undefined)(kafkaTitle('three brokers'), () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startTestCluster(3);
  });
  afterAll(() => cluster.stop());

  async function createTopic(topic: string): Promise<void> {
    // Partition p is led by broker p + 1, and every broker has a copy.
    const replicaAssignment = [1, 2, 3].map((id) => ({ partition: id - 1, replicas: [id, (id % 3) + 1, ((id + 1) % 3) + 1] })); // prettier-ignore
    await withAdmin(cluster, async (admin) => {
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, replicaAssignment }] });
    });
  }

  /** n goes to partition n % 3, in small batches. */
  async function produce(topic: string, from: number, to: number): Promise<void> {
    const work = async (producer: Producer): Promise<void> => {
      for (let n = from; n < to; n += 300) {
        const list = Array.from({ length: Math.min(300, to - n) }, (_, i) => n + i);
        await producer.send({ topic, acks: -1, messages: list.map((i) => ({ partition: i % PARTITIONS, value: `${i}` })) });
      }
    }; // prettier-ignore
    await withProducer(cluster, work, { idempotent: true, maxInFlightRequests: 1 });
  }

  /** What it read is what a reader that is not ours reads, in the same order. */
  async function expectAll(read: Reading, topic: string, count: number): Promise<void> {
    await read.until(count, 60_000);
    const seen = await committed(cluster, topic);
    for (let partition = 0; partition < PARTITIONS; partition++)
      expect(read.lines(partition)).toEqual(seen.filter((each) => each.partition === partition).map((each) => each.value));
    expect(seen).toHaveLength(count);
    expect(read.notices.at(-1)).toBeUndefined();
  } // prettier-ignore

  const small = (topic: string): Record<string, string> => ({
    brokers: cluster.address, topic, prefetch: '20 kB', fetch_max_bytes: '10 kB',
  }); // prettier-ignore

  it('a leader is killed while its partition is read, and comes back', async () => {
    await createTopic('killed');
    await produce('killed', 0, 6000);
    await reading(small('killed'), async (read) => {
      await read.until(1000);
      await cluster.kill(1);
      await read.until(6000, 60_000);
      // The first of the addresses is now that of a broker that is away.
      await reading({ brokers: cluster.address, topic: 'killed', bounded: 'true' }, async (other) => {
        expect((await other.drain()).count).toBe(6000);
      });
      await cluster.restart();
      await produce('killed', 6000, 6900);
      await expectAll(read, 'killed', 6900);
    });
  });

  it('a leader is moved, while it is read', async () => {
    await createTopic('moved');
    await produce('moved', 0, 6000);
    await reading(small('moved'), async (read) => {
      await read.until(1000);
      const partitionAssignment = [0, 1, 2].map((partition) => ({ partition, replicas: [3 - partition] }));
      await withAdmin(cluster, async (admin) => {
        await admin.alterPartitionReassignments({ topics: [{ topic: 'moved', partitionAssignment }] });
        for (let poll = 0; poll < 100; poll++) {
          const { topics } = await admin.listPartitionReassignments({});
          if (topics.length === 0) break;
          await read.poll(100, 100);
        }
      });
      await produce('moved', 6000, 9000);
      await expectAll(read, 'moved', 9000);
    });
  });

  it('a sink goes on, each row once, while a broker is away that leads a partition of it', async () => {
    await createTopic('written');
    const engine = await open({});
    await engine.sql(`CREATE SOURCE g (i AS n) WITH (connector = 'generator', rate = 800, rows = 3000);
      CREATE SINK out WITH (connector = 'kafka', brokers = '${cluster.address}', topic = 'written') AS SELECT i FROM g;`);
    let wake = (): void => undefined;
    const begun = new Promise<void>((resolve) => (wake = resolve));
    const run = engine.run({ onEvent: (event) => event.event === 'epoch' && event.rowsIn > 300 && wake() });
    await Promise.race([begun, run]);
    await cluster.kill(2);
    expect((await run).rowsIn).toBe(3000);
    await engine.close();
    await cluster.restart();
    const seen = (await committed(cluster, 'written')).map(
      ({ value }) => (JSON.parse(String(value)) as { i: number }).i,
    );
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 3000 }, (_, i) => i));
  });
});
