-- What does a web server's log say, minute by minute, while it is written?
--
--   tail -f /var/log/nginx/access.log | streamsql run queries/access-log.sql
--   streamsql run queries/access-log.sql < queries/data/access.log
--
-- The first runs until Ctrl-C; the second ends with its input. Lines that are no line of an access log are dead letters.

CREATE SOURCE requests (
  line VARCHAR,
  page AS regexp_extract(line, '"[A-Z]+ ([^ "]+)', 1),
  status AS try_cast(regexp_extract(line, '" ([0-9]{3}) ', 1) AS INTEGER),
  ts AS try_strptime(regexp_extract(line, '\[([^\]]+)\]', 1), '%d/%b/%Y:%H:%M:%S %z'),
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'stdin', format = 'raw');

CREATE MATERIALIZED VIEW by_minute AS
SELECT window_start, count(*) AS requests, count(*) FILTER (status >= 500) AS errors
FROM TUMBLE(requests, ts, INTERVAL '1 minute')
GROUP BY window_start, window_end
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW by_page AS
SELECT page, count(*) AS requests, count(*) FILTER (status >= 400) AS failed FROM requests GROUP BY page;

SELECT * FROM by_minute ORDER BY window_start;
SELECT * FROM by_page ORDER BY requests DESC, page;
