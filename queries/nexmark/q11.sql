-- Nexmark q11, user sessions: how many bids did each bidder make before falling silent for more than ten seconds?

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q11 AS
SELECT bidder, window_start, window_end, count(*) AS bids
FROM SESSION(bids, date_time, INTERVAL '10 seconds', partition_by => [bidder])
GROUP BY window_start, window_end, bidder
EMIT ON WINDOW CLOSE;

SELECT bidder, window_start, window_end, bids FROM q11 ORDER BY bids DESC, bidder, window_start LIMIT 5;
