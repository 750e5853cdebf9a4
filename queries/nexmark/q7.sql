-- Nexmark q7, highest bid: the highest bids of every ten seconds, with all that is known of them, once the ten seconds are over.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE VIEW highest AS
SELECT window_start, window_end, max(price) AS price
FROM TUMBLE(bids, date_time, INTERVAL '10 seconds')
GROUP BY window_start, window_end;

CREATE MATERIALIZED VIEW q7 AS
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bids AS b
JOIN highest AS h ON b.price = h.price AND b.date_time >= h.window_start AND b.date_time < h.window_end
EMIT ON WINDOW CLOSE;

SELECT auction, price, bidder, date_time FROM q7 ORDER BY date_time, auction, bidder LIMIT 5;
