-- Nexmark q2, selection: the bids on some of the auctions.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q2 AS
SELECT auction, price FROM bids WHERE auction % 123 = 0;

SELECT auction, count(*) AS bids, max(price) AS highest FROM q2 GROUP BY auction ORDER BY bids DESC, auction LIMIT 5;
