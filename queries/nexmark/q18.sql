-- Nexmark q18, find last bid: what did each bidder bid last in each auction? Of bids at the same instant the highest is the last.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q18 AS
SELECT auction, bidder, price, channel, url, date_time, extra
FROM (
  SELECT auction, bidder, price, channel, url, date_time, extra,
    row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, price DESC, channel, url, extra) AS rank
  FROM bids
)
WHERE rank <= 1;

SELECT auction, bidder, price, date_time FROM q18 ORDER BY price DESC, auction, bidder LIMIT 5;
