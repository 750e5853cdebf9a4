-- Nexmark q0, pass through: every bid as it is, which measures what the rest costs.

CREATE SOURCE bids (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q0 AS
SELECT auction, bidder, price, date_time, extra FROM bids;

SELECT count(*) AS rows FROM q0;
