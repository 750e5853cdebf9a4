-- Rows that are posted while the run is killed; `seen` says which of them were taken.
CREATE SOURCE bids (
  id BIGINT, auction INTEGER, price BIGINT, ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'http', listen = '${LISTEN}');

CREATE MATERIALIZED VIEW seen AS SELECT id FROM bids;

CREATE MATERIALIZED VIEW closed AS
SELECT window_start, window_end, auction, count(*) AS n, max(price) AS top
FROM TUMBLE(bids, ts, INTERVAL '5 seconds')
GROUP BY window_start, window_end, auction
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW auctions AS SELECT auction, count(*) AS n, sum(price) AS total, max(id) AS last FROM bids GROUP BY auction;

CREATE SINK closed_json WITH (connector = 'file', path = 'out/closed', format = 'json') AS SELECT * FROM closed;
