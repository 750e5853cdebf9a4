import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel, type Admin, type Producer, type ProducerConfig } from 'kafkajs';
import './quiet-kafkajs.ts';
import { brokerObstacle, startBroker as startIn, stopBroker, type BrokerSettings } from '../../scripts/kafka-broker.ts';

const obstacle = brokerObstacle();

/**
 * Why the tests against a real broker are skipped, for their titles; undefined where they run. With
 * STREAMSQL_REQUIRE_KAFKA=1 they run, and fail, where they cannot.
 */
export const skipKafka = process.env['STREAMSQL_REQUIRE_KAFKA'] === '1' ? undefined : obstacle;

/** A title that says why the tests under it are skipped. */
export const kafkaTitle = (title: string): string =>
  skipKafka === undefined ? title : `${title} (skipped: ${skipKafka})`;

export interface TestBroker {
  readonly address: string;
  /** In good order, and its folder is removed. */
  stop(): Promise<void>;
  /** At once, as a crash. */
  kill(): Promise<void>;
  /** At the same address, with what it held. */
  restart(): Promise<void>;
  /** kafkajs, the client that is not ours. */
  readonly client: Kafka;
}

/** A real broker of its own on a free port; `dir` is where it keeps its files. */
export async function startBroker(
  dir = mkdtempSync(join(tmpdir(), 'streamsql-kafka-')),
  settings: BrokerSettings = {},
): Promise<TestBroker> {
  const address = await startIn(dir, 0, settings);
  const port = Number(address.split(':')[1]);
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => void (await stopBroker(dir, signal));
  return {
    address,
    client: new Kafka({ clientId: 'test', brokers: [address], logLevel: logLevel.NOTHING, retry: { retries: 20 } }),
    kill: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGTERM');
      await startIn(dir, port, settings);
    },
    stop: async () => {
      await end('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export async function withAdmin<T>(broker: Pick<TestBroker, 'client'>, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = broker.client.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

export async function withProducer<T>(
  broker: Pick<TestBroker, 'client'>,
  work: (producer: Producer) => Promise<T>,
  config: ProducerConfig = {},
): Promise<T> {
  const producer = broker.client.producer({ allowAutoTopicCreation: false, ...config });
  await producer.connect();
  try {
    return await work(producer);
  } finally {
    await producer.disconnect();
  }
}

/** Makes a topic and waits until it has its leaders. `config` are the broker's own names, such as cleanup.policy. */
export async function createTopic(
  broker: Pick<TestBroker, 'client'>,
  topic: string,
  partitions = 1,
  config: Readonly<Record<string, string>> = {},
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await withAdmin(broker, async (admin) => {
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions, configEntries }] });
  });
}

/** Gives a topic so many partitions in all and waits until the broker knows of them: kafkajs drops what is for one it does not know. */
export async function addPartitions(broker: Pick<TestBroker, 'client'>, topic: string, count: number): Promise<void> {
  await withAdmin(broker, async (admin) => {
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    const known = async (): Promise<number | undefined> =>
      (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.filter(({ leader }) => leader >= 0)
        .length;
    while ((await known()) !== count) await sleep(10);
  });
}
