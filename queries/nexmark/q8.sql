-- Nexmark q8, monitor new users: who came and put something up for auction within the same ten seconds?

CREATE SOURCE persons (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE SOURCE auctions (WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
WITH (connector = 'nexmark', events = ${EVENTS:-100000}, events_per_second = 1000);

CREATE VIEW newcomers AS
SELECT window_start, window_end, id, name
FROM TUMBLE(persons, date_time, INTERVAL '10 seconds')
GROUP BY window_start, window_end, id, name;

CREATE VIEW sellers AS
SELECT window_start, window_end, seller
FROM TUMBLE(auctions, date_time, INTERVAL '10 seconds')
GROUP BY window_start, window_end, seller;

CREATE MATERIALIZED VIEW q8 AS
SELECT n.id, n.name, n.window_start
FROM newcomers AS n
JOIN sellers AS s ON n.id = s.seller AND n.window_start = s.window_start AND n.window_end = s.window_end
EMIT ON WINDOW CLOSE;

SELECT window_start, id, name FROM q8 ORDER BY window_start, id LIMIT 5;
