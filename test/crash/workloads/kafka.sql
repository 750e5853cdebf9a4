-- A topic of three partitions that is still written while it is read.
CREATE SOURCE bids (
  id BIGINT, auction INTEGER, price BIGINT, ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'kafka', brokers = '${BROKERS}', topic = '${TOPIC}', format = 'json', fetch_max_wait = '20 ms', fetch_max_bytes = '64 kB', retain = '1 day');

CREATE MATERIALIZED VIEW closed AS
SELECT window_start, window_end, auction, count(*) AS n, max(price) AS top
FROM TUMBLE(bids, ts, INTERVAL '5 seconds')
GROUP BY window_start, window_end, auction
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW auctions AS SELECT auction, count(*) AS n, sum(price) AS total, max(id) AS last FROM bids GROUP BY auction;

CREATE MATERIALIZED VIEW everything AS SELECT count(*) AS n, sum(price) AS total FROM bids;

CREATE SINK closed_json WITH (connector = 'file', path = 'out/closed', format = 'json') AS SELECT * FROM closed;
