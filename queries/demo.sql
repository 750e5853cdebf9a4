-- streamsql in one file: three continuous views over an auction house, then what they hold at the end.
--
--   npm run demo                                       half a million events, a few seconds
--   streamsql run queries/demo.sql -v EVENTS=5000000   more of them
--
-- A source is a stream of rows. This one makes up the bids and auctions of the Nexmark benchmark; a Kafka topic or
-- a folder of files is declared the same way, with another connector. The watermark says how late rows may be: when a bid
-- of 12:00:05 has been seen, none from before 12:00:04 is expected any more, and windows that ended by then can close.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '1 second')
WITH (connector = 'nexmark', table = 'bid', events = ${EVENTS:-500000}, disorder = '1 second');

CREATE SOURCE auctions (WATERMARK FOR date_time AS date_time - INTERVAL '1 second')
WITH (connector = 'nexmark', table = 'auction', events = ${EVENTS:-500000}, disorder = '1 second');

-- 1. A tumbling window: every ten seconds of the auction house, how many bids came in over each of the big channels,
--    and the highest. The view is live: it is an ordinary table that is brought up to date after every batch.

CREATE MATERIALIZED VIEW channel_totals AS
SELECT window_start, channel, count(*) AS bids, max(price) AS highest
FROM TUMBLE(bids, date_time, INTERVAL '10 seconds')
WHERE channel IN ('Google', 'Facebook', 'Baidu', 'Apple')
GROUP BY window_start, window_end, channel;

-- 2. A hopping window: which sellers put up the most, over the last ten seconds, anew every two seconds. ON WINDOW
--    CLOSE means that a row appears once, when its window is over, and never changes.

CREATE MATERIALIZED VIEW busy_sellers AS
SELECT window_start, window_end, seller, count(*) AS auctions, sum(initial_bid) AS value
FROM HOP(auctions, date_time, INTERVAL '2 seconds', INTERVAL '10 seconds')
GROUP BY window_start, window_end, seller
EMIT ON WINDOW CLOSE;

-- 3. A join of two streams: bids above the reserve in the first second of an auction. The time bound is what keeps a
--    stream's join small: a row is forgotten as soon as no partner can come any more.

CREATE MATERIALIZED VIEW quick_wins AS
SELECT a.id AS auction, a.item_name, b.bidder, b.price, a.reserve,
       epoch_ms(b.date_time) - epoch_ms(a.date_time) AS after_ms
FROM bids AS b
JOIN auctions AS a ON b.auction = a.id
 AND b.date_time BETWEEN a.date_time AND a.date_time + INTERVAL '1 second'
WHERE b.price > a.reserve;

-- SELECTs over views run once the input has ended (or at Ctrl-C).

SELECT strftime(window_start, '%H:%M:%S') AS "from", channel, bids, highest
FROM channel_totals
ORDER BY bids DESC, window_start, channel
LIMIT 8;

SELECT strftime(window_end, '%H:%M:%S') AS "by", arg_max(seller, (auctions, seller)) AS seller, max(auctions) AS auctions,
       sum(auctions) AS "of"
FROM busy_sellers
GROUP BY window_end
ORDER BY window_end
LIMIT 8;

SELECT item_name, auction, count(*) AS bids, max(price) AS highest, any_value(reserve) AS reserve, min(after_ms) AS first_ms
FROM quick_wins
GROUP BY auction, item_name
ORDER BY bids DESC, highest DESC, auction
LIMIT 8;
