-- Averages per sensor and minute, and what becomes of readings that come too late.
--
--   streamsql run queries/sensors.sql
--
-- Sensors report over a bad line: readings come in out of order, by up to half a minute as a rule, so the watermark waits
-- for half a minute. Two readings of the file come later than that, when the minute that they belong to is closed. They
-- are not in the averages and not lost: the summary counts them, and this shows them:
--
--   streamsql query sensors.duckdb "FROM _streamsql.late"

CREATE SOURCE readings (
  sensor VARCHAR,
  celsius DOUBLE,
  measured_at TIMESTAMP,
  WATERMARK FOR measured_at AS measured_at - INTERVAL '30 seconds'
) WITH (connector = 'file', path = '${DATA:-queries/data}/sensors.json');

CREATE MATERIALIZED VIEW sensor_minutes AS
SELECT window_start AS minute, sensor, count(*) AS readings, round(avg(celsius), 2) AS average, max(celsius) AS warmest
FROM TUMBLE(readings, measured_at, INTERVAL '1 minute')
GROUP BY window_start, window_end, sensor
EMIT ON WINDOW CLOSE;

SELECT minute, sensor, readings, average, warmest FROM sensor_minutes ORDER BY minute, sensor;
