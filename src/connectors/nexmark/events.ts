import { sql, type Sql } from '../../base/sql.ts';

/** The three kinds of events, as the benchmark names them. */
export const EVENT_KINDS = ['person', 'auction', 'bid'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** Events come in rounds of 50: first one person, then three auctions, then 46 bids. */
export const ROUND = 50;

/** Where the events of a kind stand in each round. */
export const SHARE: Readonly<Record<EventKind, { readonly first: number; readonly count: number }>> = {
  person: { first: 0, count: 1 },
  auction: { first: 1, count: 3 },
  bid: { first: 4, count: 46 },
};

/** The ordinal, among its kind, of the first event numbered `event` or later: 0 for a bid at 0, 1 for one at 5. */
export function ordinalFrom(kind: EventKind, event: number): number {
  const { first, count } = SHARE[kind];
  const within = Math.min(Math.max((event % ROUND) - first, 0), count);
  return Math.floor(event / ROUND) * count + within;
}

/** The event number `n` of the kind's events with ordinals `from` to `to`, in order. */
export function eventNumbers(kind: EventKind, from: number, to: number): Sql {
  const { first, count } = SHARE[kind];
  return sql`SELECT j // ${count} * ${ROUND} + ${first} + j % ${count} AS n FROM range(${from}, ${to}) AS t(j)`;
}

/** Ids begin here, so that a person, an auction and a category are not taken for one another. */
export const FIRST_ID = { person: 1000, auction: 1000, category: 10 } as const;
