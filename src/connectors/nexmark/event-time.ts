import { sql, type Sql } from '../../base/sql.ts';
import { below, draw } from './draw.ts';

export interface EventClock {
  /** Events of the shared sequence in a second of event time. */
  readonly eventsPerSecond: number;
  /** No event's time is further behind that of an event before it than this; 0: none is behind. */
  readonly disorderMs: number;
}

/** The event time of the first event, ms since 1970: 2015-07-15 00:00:00 UTC, the benchmark's own. */
const BASE_TIME_MS = 1_436_918_400_000;

/** What `eventTimeMs` draws. */
export const TIME_DRAW = 'time';

/** The event time of event `n` in ms since 1970: whole ms as in the benchmark, moved back by up to the disorder. */
export function eventTimeMs({ eventsPerSecond, disorderMs }: EventClock): Sql {
  const divisor = gcd(1000, eventsPerSecond);
  const even = sql`n * ${1000 / divisor} // ${eventsPerSecond / divisor}`;
  if (disorderMs === 0) return sql`(${BASE_TIME_MS} + ${even})`;
  return sql`(${BASE_TIME_MS} + greatest(${even} - ${below(disorderMs + 1, draw(TIME_DRAW))}, 0))`;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
