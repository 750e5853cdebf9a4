import { ProtocolError } from '@platformatic/kafka';
import type { SinkContext } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { Address } from '../address.ts';
import { Cluster, type Topic } from '../kafka/cluster.ts';
import { brokerCodes } from '../kafka/codes.ts';
import { unreachable } from '../kafka/refusal.ts';
import type { Security } from '../kafka/security.ts';
import { Outbox } from './outbox.ts';
import { Patience } from './patience.ts';
import type { Compression } from './record-batch.ts';
import { EpochRows, type RowsSettings } from './rows.ts';

export interface KafkaSinkSettings extends RowsSettings {
  readonly brokers: readonly Address[];
  readonly security: Security;
  readonly topic: string;
  readonly clientId: string;
  readonly compression: Compression;
  readonly batchBytes: number;
  readonly idPrefix: string;
  readonly transactionTimeoutMs: number;
}

const CONNECT_TIMEOUT_MS = 3000;
const ANSWER_TIMEOUT_MS = 30_000;
const OPEN_PATIENCE_MS = 10_000;
/** A broker that makes topics itself takes a moment for it. */
const CREATION_PATIENCE_MS = 5000;

/** What both ways of delivery are made of. */
export class SinkParts {
  readonly cluster: Cluster;
  readonly patience: Patience;
  readonly rows: EpochRows;
  private readonly settings: KafkaSinkSettings;

  constructor(settings: KafkaSinkSettings, context: SinkContext) {
    this.settings = settings;
    this.cluster = new Cluster(settings.brokers, {
      clientId: settings.clientId,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      requestTimeoutMs: ANSWER_TIMEOUT_MS,
      security: settings.security,
    });
    this.patience = new Patience(this.cluster.addresses, context);
    this.rows = new EpochRows(settings, context);
  }

  /** Waits some seconds for a broker; after that one that goes away is waited for without end. */
  async outbox(): Promise<Outbox> {
    const began = Date.now();
    try {
      const topic = await this.patience.with(() => this.topic(began), began + OPEN_PATIENCE_MS);
      return new Outbox(this.settings, this.cluster, this.patience, topic);
    } catch (error) {
      if (error instanceof StreamsqlError || brokerCodes(error).length > 0 || !(error instanceof Error)) throw error;
      const [message, hint] = unreachable(error, this.cluster.addresses, this.settings.security);
      throw new StreamsqlError('SINK', message, { hint, cause: error });
    }
  }

  private async topic(began: number): Promise<Topic> {
    const topic = await this.cluster.topic(this.settings.topic, { create: true });
    if (topic === undefined) {
      if (Date.now() - began > CREATION_PATIENCE_MS) throw await this.cluster.missing(this.settings.topic);
      throw new ProtocolError('UNKNOWN_TOPIC_OR_PARTITION');
    }
    if (topic.leaders.size === 0) throw new ProtocolError('LEADER_NOT_AVAILABLE');
    return topic;
  }
}
