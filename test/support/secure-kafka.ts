import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { startBroker, stopBroker, type BrokerSettings } from '../../scripts/kafka-broker.ts';
import { addScramUser, secure, type Secured } from '../../scripts/kafka-security.ts';

export interface SecureBroker {
  /** The plain listener's. */
  readonly address: string;
  readonly client: Kafka;
  readonly secured: Secured;
  at(listener: keyof Secured['listeners']): string;
  stop(): Promise<void>;
}

/** A real broker that also demands TLS and credentials, each on a port of its own. */
export async function startSecureBroker(settings: BrokerSettings = {}): Promise<SecureBroker> {
  const dir = mkdtempSync(join(tmpdir(), 'streamsql-kafka-'));
  const secured = await secure(dir);
  const address = await startBroker(dir, 0, { ...secured.settings, ...settings }, { listeners: secured.listeners });
  await addScramUser(address, secured.user);
  return {
    address,
    client: new Kafka({ clientId: 'test', brokers: [address], logLevel: logLevel.NOTHING, retry: { retries: 20 } }),
    secured,
    at: (listener) => `127.0.0.1:${secured.listeners[listener]}`,
    stop: async () => {
      await stopBroker(dir);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
