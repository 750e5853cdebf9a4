/** A Nexmark query in plain DuckDB, over all the events in tables (or views) `person`, `auction` and `bid`. */
export interface NexmarkOracle {
  readonly sql: string;
  /** What of `answer`, the streaming one or DuckDB's, must be equal, where that is not every value of every row. */
  readonly compared?: string;
}

/** Averages agree to nine digits: that DuckDB divides in more bits than a DOUBLE has is no part of the answer. */
const AVERAGES = "SELECT * REPLACE (format('{:.9g}', avg_price) AS avg_price) FROM answer";

const DAY = "strftime(date_time, '%Y-%m-%d')";
const LEVELS = {
  rank1: 'price < 10000',
  rank2: 'price >= 10000 AND price < 1000000',
  rank3: 'price >= 1000000',
};
const byLevel = (call: string): string =>
  [call, ...Object.values(LEVELS).map((level) => `${call} FILTER (WHERE ${level})`)].join(', ');
const COUNTS = byLevel('count(*)');
const DISTINCT_COUNTS = `${byLevel('count(DISTINCT bidder)')}, ${byLevel('count(DISTINCT auction)')}`;

const tumbleStart = (time: string): string => `time_bucket(INTERVAL 10 SECOND, ${time}, TIMESTAMP '1970-01-01')`;

const WHILE_OPEN = 'auction AS a JOIN bid AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires';

export const ORACLES: Readonly<Record<string, NexmarkOracle>> = {
  q0: { sql: 'SELECT auction, bidder, price, date_time, extra FROM bid' },
  q1: { sql: 'SELECT auction, bidder, 0.908 * price, date_time, extra FROM bid' },
  q2: { sql: 'SELECT auction, price FROM bid WHERE auction % 123 = 0' },
  q3: {
    sql: `SELECT name, city, state, auction.id FROM auction JOIN person ON seller = person.id
          WHERE category = 10 AND state IN ('OR', 'ID', 'CA')`,
  },
  q4: {
    sql: `SELECT category, avg(price) AS avg_price
          FROM (SELECT a.id, a.category, max(b.price) AS price FROM ${WHILE_OPEN} GROUP BY a.id, a.category)
          GROUP BY category`,
    compared: AVERAGES,
  },
  q5: {
    sql: `WITH counts AS (
            SELECT time_bucket(INTERVAL 2 SECOND, date_time, TIMESTAMP '1970-01-01') - to_seconds(2 * ago) AS window_start,
              auction, count(*) AS bids
            FROM bid, range(5) AS slides(ago) GROUP BY ALL)
          SELECT window_start, window_start + INTERVAL 10 SECOND AS window_end, auction, bids FROM counts
          QUALIFY bids = max(bids) OVER (PARTITION BY window_start)`,
  },
  q6: {
    sql: `SELECT seller, avg(price) OVER (
            PARTITION BY seller ORDER BY date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price
          FROM (
            SELECT a.id, a.seller, b.price, b.date_time FROM ${WHILE_OPEN}
            QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time) = 1)`,
    compared: AVERAGES,
  },
  q7: {
    sql: `SELECT auction, price, bidder, date_time, extra FROM bid
          QUALIFY price = max(price) OVER (PARTITION BY ${tumbleStart('date_time')})`,
  },
  q8: {
    sql: `SELECT DISTINCT p.id, name, ${tumbleStart('p.date_time')} AS window_start
          FROM person AS p JOIN auction AS a ON p.id = seller AND ${tumbleStart('p.date_time')} = ${tumbleStart('a.date_time')}`,
  },
  q9: {
    sql: `SELECT a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra FROM ${WHILE_OPEN}
          QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.bidder, b.extra) = 1`,
  },
  q10: { sql: `SELECT auction, bidder, price, date_time, extra, ${DAY}, strftime(date_time, '%H:%M') FROM bid` },
  q11: {
    sql: `WITH marked AS (
            SELECT bidder, date_time,
              date_time - lag(date_time) OVER by_time <= INTERVAL 10 SECOND AS goes_on
            FROM bid WINDOW by_time AS (PARTITION BY bidder ORDER BY date_time)),
          numbered AS (
            SELECT bidder, date_time,
              count(*) FILTER (WHERE goes_on IS NOT TRUE) OVER (PARTITION BY bidder ORDER BY date_time ROWS UNBOUNDED PRECEDING) AS session
            FROM marked)
          SELECT bidder, min(date_time) AS window_start, max(date_time) + INTERVAL 10 SECOND AS window_end, count(*) AS bids
          FROM numbered GROUP BY bidder, session`,
  },
  q12: {
    sql: `SELECT bidder, ${tumbleStart('CAST(now() AS TIMESTAMP)')} AS window_start, window_start + INTERVAL 10 SECOND AS window_end,
            count(*) AS bids
          FROM bid GROUP BY ALL`,
    compared: `SELECT bidder, CAST(sum(bids) AS BIGINT), bool_and(epoch(window_start) % 10 = 0 AND window_end - window_start = INTERVAL 10 SECOND)
               FROM answer GROUP BY bidder`,
  },
  q13: {
    sql: `SELECT auction, bidder, price, date_time, value
          FROM bid JOIN (SELECT n AS key, CAST(n AS VARCHAR) AS value FROM range(10000) AS numbers(n)) ON auction % 10000 = key`,
  },
  q14: {
    sql: `SELECT auction, bidder, 0.908 * price,
            CASE WHEN hour(date_time) BETWEEN 8 AND 18 THEN 'dayTime'
              WHEN hour(date_time) IN (7, 19) THEN 'otherTime' ELSE 'nightTime' END,
            date_time, extra, length(extra) - length(replace(extra, 'c', ''))
          FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`,
  },
  q15: { sql: `SELECT ${DAY}, ${COUNTS}, ${DISTINCT_COUNTS} FROM bid GROUP BY ${DAY}` },
  q16: {
    sql: `SELECT channel, ${DAY}, max(strftime(date_time, '%H:%M')), ${COUNTS}, ${DISTINCT_COUNTS}
          FROM bid GROUP BY channel, ${DAY}`,
  },
  q17: {
    sql: `SELECT auction, ${DAY}, ${COUNTS}, min(price), max(price), avg(price) AS avg_price, sum(price)
          FROM bid GROUP BY auction, ${DAY}`,
    compared: AVERAGES,
  },
  q18: {
    sql: `SELECT auction, bidder, price, channel, url, date_time, extra FROM bid
          QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, price DESC, channel, url, extra) = 1`,
  },
  q19: {
    sql: `SELECT auction, bidder, price, channel, url, date_time, extra, row_number() OVER (
            PARTITION BY auction ORDER BY price DESC, date_time, bidder, channel, url, extra) AS rank
          FROM bid QUALIFY rank <= 10`,
  },
  q20: {
    sql: `SELECT auction, bidder, price, channel, url, b.date_time, b.extra,
            item_name, description, initial_bid, reserve, a.date_time, expires, seller, category, a.extra
          FROM bid AS b JOIN auction AS a ON b.auction = a.id WHERE category = 10`,
  },
  q21: {
    sql: `SELECT * FROM (
            SELECT auction, bidder, price, channel,
              coalesce(
                map {'apple': '0', 'google': '1', 'facebook': '2', 'baidu': '3'}[lower(channel)],
                nullif(regexp_extract(url, '(&|^)channel_id=([^&]*)', 2), '')) AS channel_id
            FROM bid)
          WHERE channel_id IS NOT NULL`,
  },
  q22: {
    sql: `SELECT auction, bidder, price, channel, split_part(url, '/', 4), split_part(url, '/', 5), split_part(url, '/', 6)
          FROM bid`,
  },
};
