-- Nexmark q5, hot items: which auctions had the most bids in the last ten seconds, every two seconds?
-- A window's most can only be told from its counts once these are final, so the answer waits for the window's close. The views
-- are not materialized: they are part of the query that reads them, and close with it.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE VIEW bid_counts AS
SELECT window_start, window_end, auction, count(*) AS bids
FROM HOP(bids, date_time, INTERVAL '2 seconds', INTERVAL '10 seconds')
GROUP BY window_start, window_end, auction;

CREATE VIEW most_bids AS
SELECT window_start, window_end, max(bids) AS most
FROM bid_counts
GROUP BY window_start, window_end;

CREATE MATERIALIZED VIEW q5 AS
SELECT c.window_start, c.window_end, c.auction, c.bids
FROM bid_counts AS c
JOIN most_bids AS m ON c.window_start = m.window_start AND c.window_end = m.window_end AND c.bids = m.most
EMIT ON WINDOW CLOSE;

SELECT window_start, window_end, auction, bids FROM q5 ORDER BY window_start, auction LIMIT 5;
