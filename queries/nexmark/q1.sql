-- Nexmark q1, currency conversion: each bid's price in euros, in exact arithmetic.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q1 AS
SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bids;

SELECT auction, bidder, price, date_time FROM q1 ORDER BY date_time, price, auction, bidder LIMIT 5;
