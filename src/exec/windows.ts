import { raw, sql, timestamp, type Sql } from '../base/sql.ts';
import type { Window } from '../planner/plan.ts';

/** SQL of windows. They are aligned to 1970-01-01 UTC, moved by their offset, as Flink's are. */

/** Where windows lie: how far they are moved, and whether their time has a zone. */
type Alignment = Pick<Window, 'offset' | 'zoned'>;

/** An interval of so many microseconds. */
export const micros = (count: bigint): Sql => sql`to_microseconds(${count}::BIGINT)`;

/** window_time is the last millisecond of a window. */
export const WINDOW_TIME = micros(1000n);

/** The last multiple of `width`, moved by the offset, at or before a time; `time_bucket`'s own origin is a Monday in 2000. */
export function bucket(width: bigint, time: Sql, { offset, zoned }: Alignment): Sql {
  const origin = zoned ? raw("TIMESTAMPTZ '1970-01-01 00:00:00+00'") : raw("TIMESTAMP '1970-01-01'");
  return sql`time_bucket(${micros(width)}, ${time}, ${offset === 0n ? origin : timestamp(offset, zoned)})`;
}

/** The earliest window start whose window holds, or comes after, a time: the first s with s + size > time. */
export function firstStart(window: Window, time: Sql): Sql {
  return sql`(${bucket(window.slide, sql`${time} - ${micros(window.size)}`, window)} + ${micros(window.slide)})`;
}

/** A table function of the starts of all windows that hold a time. */
export function windowStarts(window: Window, time: Sql): Sql {
  const last = bucket(window.slide, time, window);
  return sql`UNNEST(range(${firstStart(window, time)}, ${last} + ${micros(window.slide)}, ${micros(window.slide)}))`;
}

/** A table function of the ends of all windows of CUMULATE that hold a time: each step after it, up to the last. */
export function cumulativeEnds(window: Window, time: Sql): Sql {
  const step = micros(window.slide);
  const last = sql`${bucket(window.size, time, window)} + ${micros(window.size)}`;
  return sql`UNNEST(range(${bucket(window.slide, time, window)} + ${step}, ${last} + ${step}, ${step}))`;
}

/** The greatest common divisor of slide and size: all rows of a pane lie in the same windows. */
export function paneOf(window: Window): bigint {
  let [a, b] = [window.size, window.slide];
  while (b > 0n) [a, b] = [b, a % b];
  return a;
}

/** The last multiple of `width`, moved by `offset`, at or before a value; times before 1970 are negative. */
export function floorTo(value: bigint, width: bigint, offset: bigint): bigint {
  const rest = (value - offset) % width;
  return value - (rest < 0n ? rest + width : rest);
}

/** When the first window ends that holds a time or comes after it. Grows with the time. */
export function firstEnd(window: Window, time: bigint): bigint {
  const { slide, size, offset } = window;
  if (window.shape === 'cumulate') return floorTo(time, slide, offset) + slide;
  return floorTo(time - size, slide, offset) + slide + size;
}
