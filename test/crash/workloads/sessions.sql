-- Sessions, top-n, DISTINCT and set operations.
CREATE SOURCE orders (
  id BIGINT, customer INTEGER, amount BIGINT, currency VARCHAR, ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'file', path = 'in/orders-*.ndjson', format = 'json');
CREATE SOURCE payments (
  id BIGINT, order_id BIGINT, amount BIGINT, ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'file', path = 'in/payments-*.ndjson', format = 'json');

CREATE MATERIALIZED VIEW visits AS
SELECT window_start, window_end, customer, count(*) AS n, sum(amount) AS total
FROM SESSION(orders, ts, INTERVAL '3 seconds', partition_by => [customer])
GROUP BY window_start, window_end, customer;

CREATE MATERIALIZED VIEW visits_closed AS
SELECT window_start, window_end, customer, count(*) AS n
FROM SESSION(orders, ts, INTERVAL '3 seconds', partition_by => [customer])
GROUP BY window_start, window_end, customer
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW largest AS
SELECT * FROM (
  SELECT customer, id, amount, row_number() OVER (PARTITION BY customer ORDER BY amount DESC, id) AS place FROM orders
) WHERE place <= 3;

CREATE MATERIALIZED VIEW last_paid AS
SELECT id, order_id, amount FROM payments ORDER BY amount DESC, id LIMIT 20;

CREATE MATERIALIZED VIEW currencies AS SELECT DISTINCT currency, amount % 7 AS m FROM orders;

CREATE MATERIALIZED VIEW unusual AS
SELECT customer FROM orders WHERE amount > 950 EXCEPT ALL SELECT customer FROM orders WHERE amount < 20;

CREATE SINK visits_csv WITH (connector = 'file', path = 'out/visits', format = 'csv') AS SELECT * FROM visits_closed;
