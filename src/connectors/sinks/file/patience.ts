import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from './disk.ts';

/** What may pass by itself: someone makes room, closes files, lets go of a lock. */
const PASSES = ['EAGAIN', 'EBUSY', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOSPC'];

/** The same, and what a user can mend, as DuckDB says it. */
const SAID: readonly (readonly [RegExp, string])[] = [
  [/no space left on device|there is not enough space/i, 'ENOSPC'],
  [/disk quota exceeded/i, 'EDQUOT'],
  [/too many open files/i, 'EMFILE'],
  [/resource temporarily unavailable/i, 'EAGAIN'],
  [/device or resource busy/i, 'EBUSY'],
  [/permission denied|operation not permitted/i, 'EACCES'],
  [/read-only file system/i, 'EROFS'],
];

/** About ten seconds in all: a disk that stays full stops the run, which then goes on where it stopped. */
export const PAUSES_MS: readonly number[] = [100, 300, 1000, 3000, 6000];

export interface Patience {
  readonly pauses: readonly number[];
  readonly signal: AbortSignal;
  /** Called with what went wrong before each pause, and with undefined when all is well again. */
  readonly waiting: (reason: string | undefined) => void;
}

/** Tries again, some times, where what goes wrong may pass by itself. `work` may be repeated. */
export async function persist(work: () => Promise<void>, { pauses, signal, waiting }: Patience): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await work();
      if (tries > 0) waiting(undefined);
      return;
    } catch (error) {
      const pause = pauses[tries];
      if (pause === undefined || signal.aborted || !PASSES.includes(diskCode(error) ?? '')) throw error;
      waiting(reasonOf(error));
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';

/** What a user can do about it. */
export function adviceOn(error: unknown): string | undefined {
  switch (diskCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'make room there; the same command then goes on where it stopped';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'let the user who runs streamsql write there, or give another path';
    default:
      return undefined;
  }
}

function diskCode(error: unknown): string | undefined {
  const said = error instanceof Error ? SAID.find(([pattern]) => pattern.test(error.message))?.[1] : undefined;
  return codeOf(error) ?? said;
}
