-- Tables that the file itself fills and changes, joined with a stream.
CREATE TABLE regions (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, factor BIGINT DEFAULT 1);
CREATE TABLE notes (region INTEGER, words VARCHAR);
INSERT INTO regions SELECT i, 'region ' || i, i % 5 + 1 FROM range(40) t(i);
INSERT INTO notes SELECT i % 40, 'note ' || i FROM range(200) t(i);
INSERT INTO notes SELECT * FROM notes WHERE region < 5;
UPDATE regions SET factor = factor * 10 WHERE id % 3 = 0;
DELETE FROM regions WHERE id % 11 = 7;
INSERT OR REPLACE INTO regions VALUES (7, 'back again', 77), (41, 'beyond', 41);
DELETE FROM notes WHERE words LIKE '%9';

CREATE SOURCE ticks (
  i AS n, region AS CAST(n * 7919 % 50 AS INTEGER), amount AS n * 31 % 1000,
  ts AS epoch_ms(n * 10 - (n * 13 % 7) * 100),
  WATERMARK FOR ts AS ts - INTERVAL '500 milliseconds'
) WITH (connector = 'generator', rows = ${ROWS});

CREATE MATERIALIZED VIEW weighed AS
SELECT r.name, count(*) AS n, sum(t.amount * r.factor) AS total FROM ticks t JOIN regions r ON r.id = t.region GROUP BY r.name;

CREATE MATERIALIZED VIEW unknown AS
SELECT t.region, count(*) AS n FROM ticks t LEFT JOIN regions r ON r.id = t.region WHERE r.id IS NULL GROUP BY t.region;

CREATE MATERIALIZED VIEW noted AS
SELECT region, count(*) AS n, string_agg(words, ',' ORDER BY words) AS words FROM notes GROUP BY region;

CREATE MATERIALIZED VIEW by_second AS
SELECT window_start, count(*) AS n, sum(amount) AS total FROM TUMBLE(ticks, ts, INTERVAL '1 second')
GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;

CREATE SINK seconds WITH (connector = 'file', path = 'out/seconds', format = 'json') AS SELECT * FROM by_second;
