import { sql, type Sql } from '../../base/sql.ts';
import { below, draw, pick } from './draw.ts';
import { eventTimeMs, TIME_DRAW, type EventClock } from './event-time.ts';
import { FIRST_ID, SHARE } from './events.ts';
import { ACTIVE_PEOPLE, HOT_AUCTION_RATIO, HOT_BATCH, HOT_BIDDER_RATIO, IN_FLIGHT_AUCTIONS } from './skew.ts';
import type { NexmarkTable } from './table.ts';
import { letters, price, word } from './values.ts';

/** Half of the bids come through one of these, the others through one of many. */
const HOT_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple'];
const CHANNELS = 10_000;

/** Bids on auctions that have begun, by people who are there: about 200 bytes of text each. */
export const bidTable = (clock: EventClock): NexmarkTable => ({
  kind: 'bid',
  columns: [
    {
      name: 'auction',
      type: 'BIGINT',
      draws: ['hot_auction', 'auction'],
      value: sql`${FIRST_ID.auction} + ${auction}`,
    },
    { name: 'bidder', type: 'BIGINT', draws: ['hot_bidder', 'bidder'], value: sql`${FIRST_ID.person} + ${bidder}` },
    { name: 'price', type: 'BIGINT', draws: ['price'], value: price(draw('price')) },
    {
      name: 'channel',
      type: 'VARCHAR',
      draws: ['hot_channel', 'channel'],
      value: sql`CASE WHEN ${isHotChannel} THEN ${pick(HOT_CHANNELS, draw('channel'))}
        ELSE 'channel-' || ${below(CHANNELS, draw('channel'))} END`,
    },
    { name: 'url', type: 'VARCHAR', draws: ['hot_channel', 'channel'], value: url() },
    { name: 'date_time', type: 'TIMESTAMP', draws: [TIME_DRAW], value: eventTimeMs(clock) },
    {
      name: 'extra',
      type: 'VARCHAR',
      draws: ['extra', 'extra_length'],
      value: letters(sql`8 + ${below(17, draw('extra_length'))}`, draw('extra')),
    },
  ],
});

const lastAuction = sql`(round * ${SHARE.auction.count} + ${SHARE.auction.count - 1})`;

/** The hot auction is the first of each batch. */
const auction = sql`CASE WHEN ${below(HOT_AUCTION_RATIO, draw('hot_auction'))} > 0
  THEN ${lastAuction} // ${HOT_BATCH} * ${HOT_BATCH}
  ELSE ${lastAuction} - ${below(sql`least(${lastAuction} + 1, ${IN_FLIGHT_AUCTIONS + 1})`, draw('auction'))} END`;

/** The hot bidder is the second person of each batch, for the first is the hot seller; the first until the second is there. */
const bidder = sql`CASE WHEN ${below(HOT_BIDDER_RATIO, draw('hot_bidder'))} > 0
  THEN least(round // ${HOT_BATCH} * ${HOT_BATCH} + 1, round)
  ELSE round - ${below(sql`least(round + 1, ${ACTIVE_PEOPLE})`, draw('bidder'))} END`;

const isHotChannel = sql`${below(2, draw('hot_channel'))} = 0`;

/** One address for each channel, whatever the seed. Nine in ten of the many name themselves in it, of the hot ones none. */
function url(): Sql {
  const number = sql`CASE WHEN ${isHotChannel} THEN ${CHANNELS} + ${below(HOT_CHANNELS.length, draw('channel'))}
    ELSE ${below(CHANNELS, draw('channel'))} END`;
  const address = sql`((${number}) * 2654435761 & 4294967295)`;
  const folder = (shift: number): Sql => word(sql`(${address} >> ${shift} & 127)`);
  return sql`'https://www.nexmark.com/' || ${folder(25)} || '/' || ${folder(18)} || '/' || ${folder(11)}
    || '/item.htm?query=1'
    || CASE WHEN NOT ${isHotChannel} AND ${address} % 10 > 0 THEN '&channel_id=' || ${address} ELSE '' END`;
}
