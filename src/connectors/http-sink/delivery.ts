import type { SinkContext } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { answerTo, type Answer, type Endpoint } from './request.ts';
import { secretsOf } from './headers.ts';

/** What waiting needs of the world; tests give it another one. */
export interface HttpWorld {
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Ms of a clock. */
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** How much of an answer is shown, characters. */
const SHOWN = 200;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
/** However long the other side asks for. */
const LONGEST_ASKED_MS = 3_600_000;

/** Sends requests until they are taken. */
export class Delivery {
  private readonly sink: string;
  private readonly endpoint: Endpoint;
  private readonly retryForMs: number | undefined;
  private readonly context: SinkContext;
  private readonly world: HttpWorld;

  constructor(sink: string, endpoint: Endpoint, retryForMs: number | undefined, context: SinkContext, world: HttpWorld) {
    this.sink = sink;
    this.endpoint = endpoint;
    this.retryForMs = retryForMs;
    this.context = context;
    this.world = world;
  } // prettier-ignore

  /** Throws SINK where the other side refuses, or has not taken it in the time there is. */
  async send(epoch: number, key: string, body: string): Promise<void> {
    const { context, world, endpoint } = this;
    const who = endpoint.url.origin;
    let since: number | undefined;
    for (let tries = 0; ; tries++) {
      const answer = await answerTo(endpoint, key, body, context.signal);
      if (answer.kind === 'taken') {
        if (since !== undefined) context.notice(undefined);
        return;
      }
      const said = this.shown(answer);
      if (answer.kind === 'refused')
        throw this.failure(`${who} refuses epoch ${epoch}: ${said}`, 'see that it takes this request; the same command then sends it again', answer); // prettier-ignore
      since ??= world.now();
      const ms = this.pauseAfter(tries, answer.afterMs);
      const stopped = context.signal.aborted || context.stopping?.aborted === true;
      const late = this.retryForMs !== undefined && world.now() + ms - since > this.retryForMs;
      if (stopped || late)
        throw this.failure(
          `${who} has not taken epoch ${epoch}, and ${late ? 'retry_for is over' : 'the run is to stop'}: ${said}`,
          'the same command sends it again',
          answer,
        );
      context.notice(`waiting for ${who}: ${said}`);
      await world.pause(ms, AbortSignal.any([context.signal, ...(context.stopping === undefined ? [] : [context.stopping])])); // prettier-ignore
    }
  }

  /** Growing, and of many clients not all at the same time; at least as long as the other side asks. */
  private pauseAfter(tries: number, askedMs: number | undefined): number {
    const grown = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(tries, 16), LONGEST_PAUSE_MS);
    const own = grown / 2 + (this.world.random() * grown) / 2;
    return Math.max(own, Math.min(askedMs ?? 0, LONGEST_ASKED_MS));
  }

  /** What the other side says, on one line, without what it was told in confidence. */
  private shown({ said, text = '' }: Extract<Answer, { kind: 'refused' | 'later' }>): string {
    const secrets = secretsOf(this.endpoint.headers);
    const line = (part: string): string =>
      secrets
        .reduce((rest, secret) => rest.replaceAll(secret, '…'), part)
        .replaceAll(/[\s\p{Cc}]+/gu, ' ')
        .trim();
    const shown = Array.from(line(text)).slice(0, SHOWN).join('');
    return shown === '' ? line(said) : `${line(said)}: ${shown}`;
  }

  private failure(message: string, hint: string, { cause }: Extract<Answer, { kind: 'refused' | 'later' }>): StreamsqlError {
    return new StreamsqlError('SINK', `sink ${this.sink}: ${message}`, { hint, cause });
  } // prettier-ignore
}
