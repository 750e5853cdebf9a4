-- A steady stream whose results are bounded, so that everything a run keeps can level off: tables of keys, open windows, a join
-- within a bound of time, the last minute.
CREATE TABLE campaigns (id INTEGER PRIMARY KEY, name VARCHAR);
INSERT INTO campaigns SELECT i, 'campaign ' || i FROM range(100) t(i);

CREATE SOURCE clicks (
  id AS n, campaign AS CAST(n * 7919 % 100 AS INTEGER), visitor AS n * 104729 % 5000, price AS n * 31 % 1000,
  ts AS epoch_ms(1767225600000 + n * 1000 // ${RATE} - n * 13 % 7 * 100),
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'generator', rate = ${RATE});
CREATE SOURCE buys (
  id AS n, visitor AS n * 611953 % 5000, paid AS n * 17 % 500,
  ts AS epoch_ms(1767225600000 + n * 10000 // ${RATE} - n * 11 % 5 * 100),
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'generator', rate = ${TENTH});

CREATE MATERIALIZED VIEW visitors AS
SELECT visitor, count(*) AS clicks, sum(price) AS price, max(ts) AS last_seen FROM clicks GROUP BY visitor;

CREATE MATERIALIZED VIEW by_campaign AS
SELECT c.name, k.clicks, k.price
FROM (SELECT campaign, count(*) AS clicks, sum(price) AS price FROM clicks GROUP BY campaign) k JOIN campaigns c ON c.id = k.campaign;

CREATE VIEW closed AS
SELECT window_end, campaign, count(*) AS clicks FROM HOP(clicks, ts, INTERVAL '2 seconds', INTERVAL '10 seconds')
GROUP BY window_start, window_end, campaign EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW busiest AS SELECT campaign, max(clicks) AS most, count(*) AS windows FROM closed GROUP BY campaign;

CREATE MATERIALIZED VIEW bought AS
SELECT k.campaign, count(*) AS n, sum(b.paid) AS paid
FROM clicks k JOIN buys b ON b.visitor = k.visitor AND b.ts BETWEEN k.ts AND k.ts + INTERVAL '5 seconds' GROUP BY k.campaign;
