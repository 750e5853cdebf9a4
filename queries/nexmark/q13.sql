-- Nexmark q13, bounded side input join: each bid with what a table that does not change says of it.
-- The table is 10,000 numbers and their names, as the benchmark's own file; it is made here, so that there is no file to find.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q13 AS
SELECT b.auction, b.bidder, b.price, b.date_time, s.value
FROM bids AS b
JOIN (SELECT n AS key, CAST(n AS VARCHAR) AS value FROM range(10000) AS numbers(n)) AS s ON b.auction % 10000 = s.key;

SELECT value, count(*) AS bids FROM q13 GROUP BY value ORDER BY bids DESC, value LIMIT 5;
