-- Nexmark q3, local item suggestion: who sells things of category 10 in Oregon, Idaho or California, and in which auctions?
-- An auction may follow its seller after any time, so both sides of the join are kept for good.

CREATE SOURCE persons (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE SOURCE auctions (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE MATERIALIZED VIEW q3 AS
SELECT p.name, p.city, p.state, a.id
FROM auctions AS a
JOIN persons AS p ON a.seller = p.id
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA');

SELECT state, count(*) AS auctions FROM q3 GROUP BY state ORDER BY state;
