-- Nexmark q19, auction top 10: what are the ten highest bids on each auction? Of equal bids the earlier comes first.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q19 AS
SELECT auction, bidder, price, channel, url, date_time, extra, rank
FROM (
  SELECT auction, bidder, price, channel, url, date_time, extra,
    row_number() OVER (PARTITION BY auction ORDER BY price DESC, date_time, bidder, channel, url, extra) AS rank
  FROM bids
)
WHERE rank <= 10;

SELECT auction, rank, price, bidder FROM q19 WHERE rank <= 2 ORDER BY auction, rank LIMIT 6;
