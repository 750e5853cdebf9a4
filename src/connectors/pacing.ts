import { setTimeout as sleep } from 'node:timers/promises';

/** Says when the ticks of a source with a `rate` are due: tick i at start + i / rate, so nothing drifts or is lost. */
export interface Pace {
  /** Ticks due by now, counted from the start; after a pause all those that were missed. */
  due(): number;
  /** Resolves when tick `tick` is due, `maxMs` have passed or the signal aborts, whichever comes first. */
  until(tick: number, maxMs: number, signal: AbortSignal): Promise<void>;
}

/**
 * Starts the clock now. `rate` is in ticks per second; without one every tick is due at once.
 * `now` gives milliseconds and never goes back.
 */
export function startPace(rate: number | undefined, now: () => number = () => performance.now()): Pace {
  if (rate === undefined) return { due: () => Infinity, until: () => Promise.resolve() };
  const start = now();
  return {
    due: () => Math.floor(((now() - start) * rate) / 1000) + 1,
    async until(tick, maxMs, signal): Promise<void> {
      const ms = Math.min(start + (tick * 1000) / rate - now(), maxMs);
      if (ms <= 0 || signal.aborted) return;
      // A timer counts whole milliseconds and may fire a little early: round up.
      await sleep(Math.ceil(ms), undefined, { signal }).catch(() => undefined);
    },
  };
}
