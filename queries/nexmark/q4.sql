-- Nexmark q4, average price for a category: what do the auctions of each category go for on average?
-- The winning price of an auction is the highest that was bid while it was open. It is known at once and rises with the bids, so
-- the averages are over results that change: what an auction counted for before is taken back.

CREATE SOURCE auctions (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE VIEW winning_prices AS
SELECT a.id, a.category, max(b.price) AS price
FROM auctions AS a
JOIN bids AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
GROUP BY a.id, a.category;

CREATE MATERIALIZED VIEW q4 AS
SELECT category, avg(price) AS avg_price FROM winning_prices GROUP BY category;

SELECT category, avg_price FROM q4 ORDER BY category;
