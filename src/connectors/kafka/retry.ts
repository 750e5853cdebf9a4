import { setTimeout as sleep } from 'node:timers/promises';
import { GenericError, MultipleErrors } from '@platformatic/kafka';
import { StreamsqlError } from '../../base/errors.ts';
import { brokerCodes, codeName, passes } from './codes.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

export interface Retry {
  readonly signal: AbortSignal;
  /** When to give up, ms of the clock; never where absent. */
  readonly deadline?: number | undefined;
  readonly firstPauseMs?: number;
  /** Called with what went wrong before each pause. */
  waiting(error: unknown): void;
}

/** Tries again, with growing pauses, while what goes wrong may pass by itself. Throws StreamsqlError. */
export async function persist<T>(attempt: () => Promise<T>, retry: Retry): Promise<T> {
  try {
    return await insist(attempt, retry);
  } catch (error) {
    throw asSourceError(error);
  }
}

/** The same, but what goes wrong for good is thrown as it is. */
export async function insist<T>(attempt: () => Promise<T>, retry: Retry): Promise<T> {
  for (let pause = retry.firstPauseMs ?? FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      const late = retry.deadline !== undefined && Date.now() + pause > retry.deadline;
      if (late || retry.signal.aborted || !mayPass(error)) throw error;
      retry.waiting(error);
      await sleep(pause, undefined, { signal: retry.signal }).catch(() => undefined);
    }
  }
}

/** Broken connections and timeouts pass; of the broker's own refusals, those that fresh metadata or time mends. */
export function mayPass(error: unknown): boolean {
  if (error instanceof StreamsqlError) return false;
  const codes = brokerCodes(error);
  return codes.length > 0 ? codes.every(passes) : error instanceof GenericError || error instanceof MultipleErrors;
}

/** The library's errors as a person reads them; whatever is no error of the library's is a bug and stays as it is. */
export function asSourceError(error: unknown): unknown {
  if (error instanceof StreamsqlError) return error;
  const codes = brokerCodes(error);
  if (codes.length > 0) {
    const names = [...new Set(codes.map(codeName))].join(', ');
    return new StreamsqlError('SOURCE', `the broker refuses: ${names}`, { cause: error });
  }
  if (!(error instanceof GenericError || error instanceof MultipleErrors)) return error;
  return new StreamsqlError('SOURCE', `the broker cannot be reached: ${error.message}`, { cause: error });
}
