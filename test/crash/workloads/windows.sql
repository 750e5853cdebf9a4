-- Windows and running aggregates over three files, with late rows and bad records, and each format of the file sink.
CREATE SOURCE readings (
  id BIGINT, sensor VARCHAR, kind VARCHAR, amount BIGINT, ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'file', path = 'in/readings-*.ndjson', format = 'json');

CREATE MATERIALIZED VIEW closed AS
SELECT window_start, window_end, sensor, count(*) AS n, sum(amount) AS total, max(kind) AS kind
FROM TUMBLE(readings, ts, INTERVAL '5 seconds')
GROUP BY window_start, window_end, sensor
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW closed_medians AS
SELECT window_end, kind, median(amount) AS middle, list(id) AS ids
FROM TUMBLE(readings, ts, INTERVAL '20 seconds')
GROUP BY window_start, window_end, kind
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW corrected AS
SELECT window_start, kind, count(*) AS n, sum(amount) AS total
FROM TUMBLE(readings, ts, INTERVAL '3 seconds')
GROUP BY window_start, window_end, kind
EMIT ON WINDOW CLOSE ALLOWED LATENESS INTERVAL '4 seconds';

CREATE MATERIALIZED VIEW overlapping AS
SELECT window_start, sensor, count(*) AS n, min(amount) AS least
FROM HOP(readings, ts, INTERVAL '2 seconds', INTERVAL '6 seconds')
GROUP BY window_start, window_end, sensor;

CREATE MATERIALIZED VIEW totals AS
SELECT sensor, count(*) AS n, sum(amount) AS total, avg(amount) AS mean, min(ts) AS first_at, max(ts) AS last_at
FROM readings GROUP BY sensor;

CREATE MATERIALIZED VIEW kinds AS
SELECT sensor, count(DISTINCT kind) AS kinds, first(id) AS earliest, string_agg(kind, '' ORDER BY id) FILTER (amount > 995) AS highest
FROM readings GROUP BY sensor;

CREATE MATERIALIZED VIEW everything AS SELECT count(*) AS n, sum(amount) AS total FROM readings;

CREATE MATERIALIZED VIEW sensors_by_size AS
SELECT n // 50 AS size, count(*) AS sensors, sum(total) AS total FROM totals GROUP BY n // 50;

CREATE MATERIALIZED VIEW per_minute AS
SELECT window_start, sum(n) AS n, sum(total) AS total
FROM TUMBLE(closed, window_end, INTERVAL '1 minute')
GROUP BY window_start, window_end
EMIT ON WINDOW CLOSE;

CREATE SINK closed_json WITH (connector = 'file', path = 'out/closed', format = 'json') AS SELECT * FROM closed;
CREATE SINK high_parquet WITH (connector = 'file', path = 'out/high', format = 'parquet') AS
SELECT id, sensor, amount, ts FROM readings WHERE amount > 900;
CREATE SINK totals_csv WITH (connector = 'file', path = 'out/totals', format = 'csv', changelog = true) AS
SELECT sensor, n, total FROM totals;
CREATE SINK high_folders WITH (connector = 'file', path = 'out/high-folders', format = 'json', partition_by = 'sensor') AS
SELECT id, sensor, amount, ts FROM readings WHERE amount > 900;
CREATE SINK high_gathered WITH (connector = 'file', path = 'out/high-gathered', format = 'parquet', partition_by = 'sensor', roll_size = '40 KB') AS
SELECT id, sensor, amount, ts FROM readings WHERE amount > 800;
