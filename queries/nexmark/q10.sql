-- Nexmark q10, log to the file system: every bid with its day and its minute, by which the log is divided.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q10 AS
SELECT auction, bidder, price, date_time, extra,
  strftime(date_time, '%Y-%m-%d') AS day,
  strftime(date_time, '%H:%M') AS minute
FROM bids;

SELECT day, minute, count(*) AS bids FROM q10 GROUP BY day, minute ORDER BY day, minute LIMIT 5;
