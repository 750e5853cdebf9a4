-- Nexmark q12, processing time windows: how many bids did each bidder make in each ten seconds of the clock on the wall?
-- PROCTIME() is the time at which streamsql read the row, so the answer differs from run to run.

CREATE SOURCE bids (arrived_at AS PROCTIME())
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q12 AS
SELECT bidder, window_start, window_end, count(*) AS bids
FROM TUMBLE(bids, arrived_at, INTERVAL '10 seconds')
GROUP BY bidder, window_start, window_end;

SELECT bidder, sum(bids) AS bids FROM q12 GROUP BY bidder ORDER BY bids DESC, bidder LIMIT 5;
