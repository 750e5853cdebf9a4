import type { TimeAttribute } from './plan-columns.ts';

/**
 * Which of the keys tells when a group is complete: of those that are a window's column the one that waits least beyond its
 * own value; -1 where none is. Only window columns close anything: a plain event time groups, it does not refuse.
 */
export function closingKey(times: readonly (TimeAttribute | undefined)[]): number {
  return times.reduce((best, time, i) => {
    if (time?.window === undefined) return best;
    const least = times[best];
    return least === undefined || time.after < least.after ? i : best;
  }, -1);
}
