import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Admin } from '@platformatic/kafka';
import { brokerObstacle, startBroker, stopBroker } from '../scripts/kafka-broker.ts';
import { runChild } from './child.ts';

/** A broker of the benchmark's own: what it held before is gone. */
export class BenchBroker {
  readonly address: string;
  private readonly folder: string;

  private constructor(address: string, folder: string) {
    this.address = address;
    this.folder = folder;
  }

  /** Why there can be none; undefined where there can. */
  static obstacle(): string | undefined {
    return brokerObstacle();
  }

  static async start(data: string): Promise<BenchBroker> {
    const folder = join(data, 'kafka');
    await stopBroker(folder);
    rmSync(folder, { recursive: true, force: true });
    return new BenchBroker(await startBroker(folder, 0), folder);
  }

  async stop(): Promise<void> {
    await stopBroker(this.folder);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Loads a file's lines into a new topic. */
  async load(path: string, topic: string, partitions: number, codec = 'none'): Promise<void> {
    await runChild('load-topic.ts', [path, this.address, topic, String(partitions), '--codec', codec]);
  }
}

export async function makeTopic(address: string, topic: string, partitions: number): Promise<void> {
  const admin = new Admin({ clientId: 'streamsql-bench', bootstrapBrokers: [address] });
  try {
    await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
  } finally {
    await admin.close();
  }
}
