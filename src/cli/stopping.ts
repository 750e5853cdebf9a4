import type { Io } from './io.ts';

/**
 * npm and the terminal each deliver the same Ctrl-C, npm and a supervisor the same SIGTERM: what comes so soon after the
 * first is that one again.
 */
const SAME_KEY_PRESS_MS = 250;

export interface Stopping {
  /** Aborts when the run is to end in good order. */
  readonly signal: AbortSignal;
  dispose(): void;
}

/**
 * Watches for what ends a run: SIGINT, SIGTERM and a closed standard output end it in good order, a second signal ends the
 * process at once. `say` tells the person who pressed Ctrl-C; `leave` runs just before the process ends.
 */
export function watchStops(io: Io, say: (message: string) => void, leave: () => void): Stopping {
  const controller = new AbortController();
  let signalledAt: number | undefined;
  const dispose = io.onStop((why) => {
    if (why !== 'output-closed') {
      if (signalledAt !== undefined) {
        if (startedByNpm(io.env) && io.now() - signalledAt < SAME_KEY_PRESS_MS) return;
        leave();
        io.exit(KILLED_BY[why]);
        return;
      }
      signalledAt = io.now();
    }
    if (controller.signal.aborted) return;
    controller.abort();
    if (why === 'SIGINT') say('stopping after this batch; Ctrl-C again stops at once');
    if (why === 'SIGTERM') say('stopping after this batch; a second signal stops at once');
  });
  return { signal: controller.signal, dispose };
}

/** As a shell tells it of a process that a signal ended. */
const KILLED_BY = { SIGINT: 130, SIGTERM: 143 };

const startedByNpm = (env: Io['env']): boolean =>
  env['npm_lifecycle_event'] !== undefined || env['npm_execpath'] !== undefined;
