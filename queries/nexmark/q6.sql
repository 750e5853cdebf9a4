-- Nexmark q6, average selling price by seller: what did each seller's latest auctions go for on average?
-- For each auction that somebody has bid on, in the order of the winning bids: the average over it and the ten before it of the same
-- seller. A winning bid gives way to a higher one, and with it change all the averages that it was part of.

CREATE SOURCE auctions (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE VIEW winning_bids AS
SELECT id, seller, price, date_time
FROM (
  SELECT a.id, a.seller, b.price, b.date_time,
    row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time) AS rank
  FROM auctions AS a
  JOIN bids AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
)
WHERE rank <= 1;

CREATE MATERIALIZED VIEW q6 AS
SELECT seller,
  avg(price) OVER (PARTITION BY seller ORDER BY date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price
FROM winning_bids;

SELECT seller, count(*) AS auctions, max(avg_price) AS best FROM q6 GROUP BY seller ORDER BY auctions DESC, seller LIMIT 5;
