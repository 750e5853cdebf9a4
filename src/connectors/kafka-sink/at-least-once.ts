import { initProducerIdV5 } from '@platformatic/kafka';
import type { SinkContext, SinkWriter } from '../../base/connector.ts';
import type { Sql } from '../../base/sql.ts';
import { asSinkError, meaningOf } from './failure.ts';
import { SinkParts, type KafkaSinkSettings } from './opening.ts';
import type { Outbox, ProducerIdentity } from './outbox.ts';

const MOST_RESTARTS = 10;
const NO_TRANSACTIONS = 2 ** 31 - 1;

/** Each epoch is sent after it is committed; one that a crash interrupts is sent again. */
export class AtLeastOnceWriter implements SinkWriter {
  private readonly settings: KafkaSinkSettings;
  private readonly parts: SinkParts;
  private outbox: Outbox | undefined;
  private identity: ProducerIdentity | undefined;
  private staged: number | undefined;

  constructor(settings: KafkaSinkSettings, context: SinkContext) {
    this.settings = settings;
    this.parts = new SinkParts(settings, context);
  }

  open(): Promise<void> {
    return this.guarded(async () => {
      this.outbox = await this.parts.outbox();
    });
  }

  isPublished(): Promise<boolean> {
    return Promise.resolve(false);
  }

  stage(epoch: number, delta: Sql, rows: number): Promise<void> {
    return this.guarded(async () => {
      this.staged = undefined;
      if (rows === 0) return;
      await this.parts.rows.take(epoch, delta);
      this.staged = epoch;
    });
  }

  publish(epoch: number): Promise<void> {
    return this.guarded(async () => {
      if (this.staged !== epoch) return;
      await this.send();
      this.staged = undefined;
      await this.parts.rows.drop();
    });
  }

  async close(): Promise<void> {
    await this.parts.cluster.close();
  }

  /** All of it, and again where the broker has lost track of what was sent. */
  private async send(): Promise<void> {
    for (let restarts = 0; ; restarts++) {
      try {
        const identity = (this.identity ??= await this.identify());
        for await (const records of this.parts.rows.chunks()) await this.outbox?.send(records, identity);
        return;
      } catch (error) {
        if (meaningOf(error) === 'for good' || restarts === MOST_RESTARTS) throw error;
        this.identity = undefined;
      }
    }
  }

  /** A producer id, by which the broker knows a batch that comes twice. */
  private async identify(): Promise<ProducerIdentity> {
    const { cluster, patience } = this.parts;
    const { producerId, producerEpoch } = await patience.with(() =>
      cluster.anyone((broker) => broker.call(initProducerIdV5.api, null, NO_TRANSACTIONS)),
    );
    return { producerId, producerEpoch, transactionalId: null, admit: () => Promise.resolve() };
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw asSinkError(this.settings.sink, '', error);
    }
  }
}
