import { sql, type Sql } from '../../base/sql.ts';
import { below, draw, pick } from './draw.ts';
import { eventTimeMs, TIME_DRAW, type EventClock } from './event-time.ts';
import { FIRST_ID, ROUND, SHARE } from './events.ts';
import { ACTIVE_PEOPLE, HOT_BATCH, HOT_SELLER_RATIO, IN_FLIGHT_AUCTIONS } from './skew.ts';
import type { NexmarkTable } from './table.ts';
import { letters, price } from './values.ts';

const LOOKS = [
  'red', 'blue', 'green', 'golden', 'silver', 'black', 'white', 'wooden', 'antique', 'modern', 'rare', 'tiny', 'giant',
  'folding', 'painted', 'signed',
]; // prettier-ignore
const THINGS = [
  'bicycle', 'lamp', 'clock', 'camera', 'guitar', 'teapot', 'chair', 'carpet', 'globe', 'mirror', 'radio', 'vase',
  'violin', 'telescope', 'chess set', 'typewriter', 'record player', 'model train', 'coat', 'desk', 'painting',
  'umbrella', 'piano', 'kite',
]; // prettier-ignore
const CONDITIONS = [
  'As good as new, hardly ever used and always kept in its box',
  'With some signs of wear, which only add to its charm and dignity',
  'Works, though a patient hand would do it good before winter comes',
  'From a house that was cleared last spring, with all that belongs to it',
];
const TERMS = ['collected in person', 'sent by post', 'sold as seen', 'returned within a month'];
const CATEGORIES = 5;

/** Auctions by people who have come by then: about 500 bytes of text each. */
export const auctionTable = (clock: EventClock): NexmarkTable => ({
  kind: 'auction',
  columns: [
    {
      name: 'id',
      type: 'BIGINT',
      draws: [],
      value: sql`round * ${SHARE.auction.count} + n % ${ROUND} - ${SHARE.auction.first} + ${FIRST_ID.auction}`,
    },
    { name: 'item_name', type: 'VARCHAR', draws: ['look', 'thing'], value: itemName },
    {
      name: 'description',
      type: 'VARCHAR',
      draws: ['look', 'thing', 'condition', 'terms'],
      value: sql`'One ' || ${itemName} || '. ' || ${pick(CONDITIONS, draw('condition'))}
        || '; ' || ${pick(TERMS, draw('terms'))} || '.'`,
    },
    { name: 'initial_bid', type: 'BIGINT', draws: ['initial'], value: price(draw('initial')) },
    {
      name: 'reserve',
      type: 'BIGINT',
      draws: ['initial', 'reserve'],
      value: sql`${price(draw('initial'))} + ${price(draw('reserve'))}`,
    },
    { name: 'date_time', type: 'TIMESTAMP', draws: [TIME_DRAW], value: eventTimeMs(clock) },
    { name: 'expires', type: 'TIMESTAMP', draws: [TIME_DRAW, 'expires'], value: expiresMs(clock) },
    { name: 'seller', type: 'BIGINT', draws: ['hot_seller', 'seller'], value: sql`${FIRST_ID.person} + ${seller}` },
    {
      name: 'category',
      type: 'BIGINT',
      draws: ['category'],
      value: sql`${FIRST_ID.category} + ${below(CATEGORIES, draw('category'))}`,
    },
    {
      name: 'extra',
      type: 'VARCHAR',
      draws: ['extra', 'extra_length'],
      value: letters(sql`120 + ${below(121, draw('extra_length'))}`, draw('extra')),
    },
  ],
});

const itemName = sql`${pick(LOOKS, draw('look'))} || ' ' || ${pick(THINGS, draw('thing'))}`;

/** The hot seller is the first person of each batch. */
const seller = sql`CASE WHEN ${below(HOT_SELLER_RATIO, draw('hot_seller'))} > 0
  THEN round // ${HOT_BATCH} * ${HOT_BATCH}
  ELSE round - ${below(sql`least(round + 1, ${ACTIVE_PEOPLE})`, draw('seller'))} END`;

/** An auction is open, on average, for as long as it takes the auctions in flight to begin. */
function expiresMs(clock: EventClock): Sql {
  const events = Math.floor((IN_FLIGHT_AUCTIONS * ROUND) / SHARE.auction.count);
  const meanMs = Math.floor((events * 1000) / clock.eventsPerSecond);
  return sql`${eventTimeMs(clock)} + 1 + ${below(Math.max(1, 2 * meanMs), draw('expires'))}`;
}
