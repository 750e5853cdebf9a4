import { raw, sql, type Sql } from '../base/sql.ts';
import type { Window } from '../planner/plan.ts';

/** SQL of windows. Windows begin at multiples of the slide since 1970-01-01 UTC, as Flink's do. */

/** An interval of so many microseconds. */
export const micros = (count: bigint): Sql => sql`to_microseconds(${count}::BIGINT)`;

/** window_time is the last millisecond of a window. */
export const WINDOW_TIME = micros(1000n);

/** The last multiple of `width` at or before a time; `time_bucket`'s own origin is a Monday in 2000. */
export function bucket(width: bigint, time: Sql, zoned: boolean): Sql {
  const origin = zoned ? raw("TIMESTAMPTZ '1970-01-01 00:00:00+00'") : raw("TIMESTAMP '1970-01-01'");
  return sql`time_bucket(${micros(width)}, ${time}, ${origin})`;
}

/** The earliest window start whose window holds, or comes after, a time: the first s with s + size > time. */
export function firstStart(window: Window, time: Sql): Sql {
  return sql`(${bucket(window.slide, sql`${time} - ${micros(window.size)}`, window.zoned)} + ${micros(window.slide)})`;
}

/** A table function of the starts of all windows that hold a time. */
export function windowStarts(window: Window, time: Sql): Sql {
  const last = bucket(window.slide, time, window.zoned);
  return sql`UNNEST(range(${firstStart(window, time)}, ${last} + ${micros(window.slide)}, ${micros(window.slide)}))`;
}

/** The greatest common divisor of slide and size: all rows of a pane lie in the same windows. */
export function paneOf(window: Window): bigint {
  let [a, b] = [window.size, window.slide];
  while (b > 0n) [a, b] = [b, a % b];
  return a;
}

/** Floor division: times before 1970 are negative. */
export function floorTo(value: bigint, width: bigint): bigint {
  const rest = value % width;
  return value - (rest < 0n ? rest + width : rest);
}
