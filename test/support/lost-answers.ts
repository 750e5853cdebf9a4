import { Connection, NetworkError } from '@platformatic/kafka';
import { vi } from 'vitest';

/** The requests of a transactional writer, by their keys in Kafka's protocol. */
export const REQUEST = {
  produce: 0,
  metadata: 3,
  offsetFetch: 9,
  findCoordinator: 10,
  initProducerId: 22,
  addPartitions: 24,
  addOffsets: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
} as const;

/**
 * Makes the next requests of a kind fail as a broken connection does: `unsent`, or `unanswered`, when the broker has done it.
 * Every connection of the process; `sent` counts the requests by kind.
 */
export class LostAnswers {
  readonly sent = new Map<number, number>();
  private readonly spy;
  private plan: { kind: number; left: number; how: 'unsent' | 'unanswered' } | undefined;

  constructor() {
    const { sent } = this;
    const original = Object.getOwnPropertyDescriptor(Connection.prototype, 'send')?.value as Connection['send'];
    const next = (kind: number): 'unsent' | 'unanswered' | undefined => {
      sent.set(kind, (sent.get(kind) ?? 0) + 1);
      const { plan } = this;
      return plan?.kind === kind && plan.left-- > 0 ? plan.how : undefined;
    };
    this.spy = vi.spyOn(Connection.prototype, 'send').mockImplementation(function send(
      this: Connection,
      ...args: Parameters<Connection['send']>
    ) {
      const how = next(args[0]);
      const callback = args[6];
      const lost = (): void => callback(new NetworkError('Connection closed'), undefined);
      if (how === 'unsent') return setImmediate(lost);
      if (how === 'unanswered') args[6] = lost;
      return original.apply(this, args);
    } as typeof original);
  }

  /** Of what was to be lost and was not yet, nothing is. */
  lose(kind: number, how: 'unsent' | 'unanswered', times = 1): void {
    this.plan = { kind, left: times, how };
  }

  restore(): void {
    this.spy.mockRestore();
  }
}
