-- Nexmark q22, get URL directories: the bids with the first three folders of their addresses.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q22 AS
SELECT auction, bidder, price, channel,
  split_part(url, '/', 4) AS dir1,
  split_part(url, '/', 5) AS dir2,
  split_part(url, '/', 6) AS dir3
FROM bids;

SELECT dir1, count(*) AS bids FROM q22 GROUP BY dir1 ORDER BY bids DESC, dir1 LIMIT 5;
