import type { SinkContext } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { brokerCodes, CODE, codeName } from '../kafka/codes.ts';
import { insist, mayPass } from '../kafka/retry.ts';

/** What the broker says while it ends a transaction, which it does soon. */
const ENDING: ReadonlySet<number> = new Set([CODE.CONCURRENT_TRANSACTIONS, CODE.UNSTABLE_OFFSET_COMMIT]);
const FIRST_PAUSE_MS = 10;
const SILENT_MS = 2000;
/** How long it goes on once the run is asked to stop. */
const STOPPING_MS = 5000;

type Host = Pick<SinkContext, 'notice' | 'signal' | 'stopping'>;

/** Tries again for as long as it takes where that can help, and tells what is waited for. */
export class Patience {
  /** A broker was away: a request may have been left unanswered and yet be done late, a transaction end incompletely. */
  troubled = false;
  /** Called where a broker does not know the topic; throws where it will not come back. */
  lookFor: () => Promise<void> = () => Promise.resolve();
  private readonly brokers: string;
  private readonly context: Host;
  private stopsAt: number | undefined;

  constructor(brokers: string, context: Host) {
    this.brokers = brokers;
    this.context = context;
    const stop = (): void => void (this.stopsAt = Date.now() + STOPPING_MS);
    if (context.stopping?.aborted === true) stop();
    else context.stopping?.addEventListener('abort', stop, { once: true });
  }

  /** Throws what goes wrong for good as it is, and what still goes wrong at the deadline, ms of the clock. */
  async with<T>(attempt: () => Promise<T>, deadline?: number): Promise<T> {
    const { signal, notice } = this.context;
    let told: string | undefined;
    const began = Date.now();
    const waiting = (error: unknown): void => {
      const codes = brokerCodes(error);
      const ending = codes.length > 0 && codes.every((code) => ENDING.has(code));
      if (!ending) this.troubled = true;
      else if (Date.now() - began < SILENT_MS) return;
      const reason = codes.length === 0 ? '' : ` (${[...new Set(codes.map(codeName))].join(', ')})`;
      told = `waiting for broker ${this.brokers}${reason}`;
      notice(told);
    };
    try {
      return await insist(() => this.attempt(attempt), { signal, deadline, waiting, firstPauseMs: FIRST_PAUSE_MS });
    } finally {
      if (told !== undefined) notice(undefined);
    }
  }

  private async attempt<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (brokerCodes(error).includes(CODE.UNKNOWN_TOPIC_OR_PARTITION)) await this.lookFor();
      if (this.stopsAt === undefined || Date.now() < this.stopsAt || !mayPass(error)) throw error;
      throw new StreamsqlError('SINK', `broker ${this.brokers} was still waited for when the run was to stop`, {
        hint: 'the same command goes on where it stopped',
        cause: error,
      });
    }
  }
}
