import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SinkContext, SinkWriter } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { Sql } from '../../base/sql.ts';
import { brokerCodes, CODE } from '../kafka/codes.ts';
import { Endings } from './endings.ts';
import { asSinkError, expired, meaningOf } from './failure.ts';
import { SinkParts, type KafkaSinkSettings } from './opening.ts';
import type { Outbox } from './outbox.ts';
import { TransactionalId, type Mark } from './transactional-id.ts';

/** Offsets of a group expire where nobody commits them: by default after a week. */
const REMARK_MS = 6 * 3_600_000;
const LAST_ABORT_MS = 1000;
const MOST_RESTARTS = 10;
/** The broker's clock and ours may differ in their pace. */
const SURELY_OVER = 0.9;

/** What a transaction brings, and since when it is open, ms. */
interface Staged {
  readonly mark: Mark;
  readonly withRows: boolean;
  begun: number;
}

/**
 * Each epoch that has rows is one transaction. In it the number of epochs that are in is committed, as the offset of a
 * consumer group of the sink's own: so whether an epoch is in can be asked, after any crash. Who wrote the number stands
 * beside it: where another's name is found, or the id is taken, that other one goes on and this one stops.
 */
export class ExactlyOnceWriter implements SinkWriter {
  private readonly settings: KafkaSinkSettings;
  private readonly context: SinkContext;
  private readonly parts: SinkParts;
  private readonly id: TransactionalId;
  private readonly endings: Endings;
  private readonly own = randomUUID();
  private outbox: Outbox | undefined;
  /** What is in, as far as is known; undefined where nothing was ever marked. */
  private last: Mark | undefined;
  private staged: Staged | undefined;
  private restarts = 0;
  private remarking: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  constructor(settings: KafkaSinkSettings, context: SinkContext) {
    this.settings = settings;
    this.context = context;
    this.parts = new SinkParts(settings, context);
    const id = [settings.idPrefix, context.job, settings.sink].filter((part) => part !== '').join('-');
    this.id = new TransactionalId(
      { id, topic: settings.topic, timeoutMs: settings.transactionTimeoutMs },
      this.parts.cluster,
      this.parts.patience,
    );
    this.endings = new Endings(this.id, this.parts.patience);
  }

  open(): Promise<void> {
    return this.guarded(async () => {
      this.outbox = await this.parts.outbox();
      await this.takeOver();
      this.last = await this.id.marked('settled');
      const epochs = this.context.resume === undefined ? 0 : this.resumable(this.context.resume.epoch);
      await this.commit({ epochs, writer: this.own });
      this.timer = setInterval(() => this.remark(), REMARK_MS).unref();
    });
  }

  isPublished(epoch: number): Promise<boolean> {
    return Promise.resolve((this.last?.epochs ?? 0) > epoch);
  }

  stage(epoch: number, delta: Sql, rows: number): Promise<void> {
    return this.guarded(async () => {
      await this.remarking;
      this.staged = undefined;
      if (rows === 0) return await this.abort();
      this.staged = { mark: { epochs: epoch + 1, writer: this.own }, withRows: true, begun: 0 };
      await this.parts.rows.take(epoch, delta);
      await this.fill(this.staged);
    });
  }

  publish(epoch: number): Promise<void> {
    return this.guarded(async () => {
      if (this.staged?.mark.epochs !== epoch + 1) return;
      await this.end(this.staged);
      await this.parts.rows.drop();
    });
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    // Readers need not wait for the transaction's timeout.
    const empty = !this.id.open || this.endings.repeating;
    const ended = empty ? undefined : this.id.endOnce('abort').catch(() => undefined);
    await Promise.race([ended, sleep(LAST_ABORT_MS)]);
    await this.parts.cluster.close();
  }

  /** A transaction of the mark alone. */
  private async commit(mark: Mark): Promise<void> {
    const staged = { mark, withRows: false, begun: 0 };
    await this.fill(staged);
    await this.end(staged);
  }

  /** Opens a transaction and writes the rows and the mark in it, again from the start where it has to be. */
  private async fill(staged: Staged): Promise<void> {
    const { id, parts } = this;
    for (;;) {
      try {
        await this.abort();
        if (parts.patience.troubled) await this.settle();
        staged.begun = performance.now();
        await id.join();
        if (parts.patience.troubled) {
          // Whether the last transaction ended whole is not known; this one has nothing in it yet, and ends as that one did.
          await this.settle();
          continue;
        }
        if (staged.withRows) for await (const records of parts.rows.chunks()) await this.outbox?.send(records, id);
        return await id.mark(staged.mark);
      } catch (error) {
        await this.restart(error, staged.begun, 'filling');
      }
    }
  }

  /** Commits the open transaction. Where the answer does not tell, the mark does. */
  private async end(staged: Staged): Promise<void> {
    const { mark } = staged;
    for (;;) {
      try {
        await this.endings.end('commit');
        break;
      } catch (error) {
        await this.restart(error, staged.begun, 'ending');
        const found = await this.id.marked('settled');
        if (found?.writer === mark.writer && found.epochs === mark.epochs) break;
        await this.fill(staged);
      }
    }
    this.last = mark;
    this.staged = undefined;
    this.restarts = 0;
    if (this.parts.patience.troubled) await this.settle();
  }

  /** Makes ready for the same transaction anew; throws where that does not help. */
  private async restart(error: unknown, begun: number, phase: 'filling' | 'ending'): Promise<void> {
    const meaning = this.meaning(error);
    // What is open is aborted before the next one.
    if (meaning === 'begin again' && phase === 'filling') return;
    if (meaning === 'lost') {
      const over = await this.refuseFenced(error, begun);
      if (over && phase === 'filling' && !this.parts.patience.troubled) throw this.tooSlow(error);
    }
    await this.takeOver();
  }

  /** What makes it worth trying again; throws what does not. */
  private meaning(error: unknown): 'begin again' | 'lost' {
    const meaning = meaningOf(error);
    if (!this.parts.patience.troubled) this.restarts++;
    if (meaning === 'for good' || this.restarts > MOST_RESTARTS) throw error;
    return meaning;
  }

  /** Throws where another has the id, not the coordinator's clock taken it away. Whether it was the clock. */
  private async refuseFenced(error: unknown, begun: number): Promise<boolean> {
    const over = performance.now() - begun > SURELY_OVER * this.settings.transactionTimeoutMs;
    const found = await this.id.marked('now');
    if (found?.writer !== this.last?.writer || !(over || expired(error))) throw this.fenced(error);
    return over;
  }

  /** Takes the id, and learns what became of its last transaction. */
  private async takeOver(): Promise<void> {
    const { id, endings } = this;
    const ending = endings.repeating ? undefined : await id.ending();
    if (ending !== undefined) endings.learn(ending, this.outbox?.partitions ?? []);
    await id.take();
    await this.settle();
  }

  /** Sees to it that the last transaction has ended everywhere. */
  private async settle(): Promise<void> {
    for (;;) {
      const begun = performance.now();
      try {
        return await this.endings.repeat();
      } catch (error) {
        if (this.meaning(error) === 'lost') await this.refuseFenced(error, begun);
        await this.id.take();
      }
    }
  }

  /** Ends a transaction that may be open, and is not to be seen. */
  private async abort(): Promise<void> {
    if (!this.id.open) return;
    await this.endings.end('abort').catch((error: unknown) => {
      // There was none any more.
      if (!brokerCodes(error).includes(CODE.INVALID_TXN_STATE)) throw error;
    });
    await this.settle();
  }

  /** Commits the last mark again, so that it does not expire while there is nothing to write. */
  private remark(): void {
    const { last } = this;
    if (this.staged !== undefined || last === undefined) return;
    // What fails here fails again where something is to be written.
    this.remarking = this.commit({ ...last }).catch(() => undefined);
  }

  /** How many epochs are in, where the run goes on after this one. */
  private resumable(epoch: number): number {
    const { settings, last } = this;
    if (last === undefined) {
      const message = `the offset of consumer group '${this.id.transactionalId}' is gone: it would tell whether epoch ${epoch} is in topic '${settings.topic}'`;
      throw new StreamsqlError('SINK', `sink ${settings.sink}: ${message}`, {
        hint: "Kafka drops it with the topic, and after the broker's offsets.retention.minutes; docs/operations.md says how to set it",
      });
    }
    if (last.epochs > epoch + 1) {
      const message = `epoch ${last.epochs - 1} is in topic '${settings.topic}', and the results end with epoch ${epoch}`;
      throw new StreamsqlError('SINK', `sink ${settings.sink}: ${message}`, {
        hint: 'the database or the state is older than what was written: put the newer one back, or run with --fresh',
      });
    }
    return last.epochs;
  }

  private fenced(cause: unknown): StreamsqlError {
    const message = `another process writes as '${this.id.transactionalId}' now, and this one may not`;
    return new StreamsqlError('SINK', `sink ${this.settings.sink}: ${message}`, {
      hint: 'a job is run by one process at a time: stop the other one',
      cause,
    });
  }

  private tooSlow(cause: unknown): StreamsqlError {
    const seconds = this.settings.transactionTimeoutMs / 1000;
    const message = `an epoch was not written within the ${seconds} s of transaction_timeout`;
    return new StreamsqlError('SINK', `sink ${this.settings.sink}: ${message}`, {
      hint: 'raise transaction_timeout, or make epochs smaller with --max-batch-rows',
      cause,
    });
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw asSinkError(this.settings.sink, this.id.transactionalId, error);
    }
  }
}
