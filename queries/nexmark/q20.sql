-- Nexmark q20, expand bid with auction: the bids on things of category 10, with all that is known of the auction.
-- Nothing says how long after its beginning an auction is bid on, so both sides of the join are kept for good.

CREATE SOURCE auctions (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q20 AS
SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.date_time AS bid_date_time, b.extra AS bid_extra,
  a.item_name, a.description, a.initial_bid, a.reserve, a.date_time AS auction_date_time, a.expires, a.seller, a.category,
  a.extra AS auction_extra
FROM bids AS b
JOIN auctions AS a ON b.auction = a.id
WHERE a.category = 10;

SELECT auction, item_name, count(*) AS bids FROM q20 GROUP BY auction, item_name ORDER BY bids DESC, auction LIMIT 5;
