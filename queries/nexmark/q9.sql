-- Nexmark q9, winning bids: each auction with the highest bid that was made while it was open, the first of those as high.

CREATE SOURCE auctions (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q9 AS
SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra,
  auction, bidder, price, bid_date_time, bid_extra
FROM (
  SELECT a.id, a.item_name, a.description, a.initial_bid, a.reserve, a.date_time, a.expires, a.seller, a.category, a.extra,
    b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra,
    row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.bidder, b.extra) AS rank
  FROM auctions AS a
  JOIN bids AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
)
WHERE rank <= 1;

SELECT id, item_name, price, bidder, bid_date_time FROM q9 ORDER BY price DESC, id LIMIT 5;
