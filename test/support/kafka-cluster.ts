import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { stopBroker } from '../../scripts/kafka-broker.ts';
import { memberDir, startCluster, stopCluster } from '../../scripts/kafka-cluster.ts';

export interface TestCluster {
  /** Of all its brokers, with commas. */
  readonly address: string;
  readonly addresses: readonly string[];
  readonly client: Kafka;
  /** At once, as a crash. Brokers are numbered from 1. */
  kill(id: number): Promise<void>;
  /** Those that are not there come back, with what they held. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Real brokers that are one cluster, with a quorum of controllers among them. */
export async function startTestCluster(size: number): Promise<TestCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'streamsql-kafka-'));
  const addresses = await startCluster(dir, size);
  return {
    address: addresses.join(','),
    addresses,
    client: new Kafka({
      clientId: 'test',
      brokers: addresses,
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 60 },
    }),
    kill: async (id) => void (await stopBroker(memberDir(dir, id), 'SIGKILL')),
    restart: async () => void (await startCluster(dir, size)),
    stop: async () => {
      await stopCluster(dir);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
