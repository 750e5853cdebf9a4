-- Joins of every kind between three streams of several files.
CREATE SOURCE orders (
  id BIGINT, customer INTEGER, amount BIGINT, currency VARCHAR, ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'file', path = 'in/orders-*.ndjson', format = 'json');
CREATE SOURCE payments (
  id BIGINT, order_id BIGINT, amount BIGINT, ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'file', path = 'in/payments-*.ndjson', format = 'json');
CREATE SOURCE rates (
  currency VARCHAR, rate BIGINT, ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (connector = 'file', path = 'in/rates-*.ndjson', format = 'json');

CREATE MATERIALIZED VIEW paid AS
SELECT o.id, p.id AS payment, p.amount, o.ts AS ordered_at, p.ts AS paid_at
FROM orders o JOIN payments p ON p.order_id = o.id AND p.ts BETWEEN o.ts AND o.ts + INTERVAL '8 seconds';

CREATE MATERIALIZED VIEW unpaid AS
SELECT o.id, o.amount, p.id AS payment
FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND p.ts BETWEEN o.ts AND o.ts + INTERVAL '8 seconds'
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW settled AS
SELECT o.id, o.customer, p.id AS payment FROM orders o LEFT JOIN payments p ON p.order_id = o.id;

CREATE MATERIALIZED VIEW never_paid AS
SELECT customer, count(*) AS n FROM orders o
WHERE NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id) GROUP BY customer;

CREATE MATERIALIZED VIEW converted AS
SELECT o.id, o.amount * r.rate AS cents
FROM orders o LEFT JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.currency = r.currency
EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW rated AS
SELECT o.id, r.rate FROM orders o ASOF JOIN rates r ON o.currency = r.currency AND o.ts >= r.ts WHERE o.amount > 900;

CREATE SINK unpaid_json WITH (connector = 'file', path = 'out/unpaid', format = 'json') AS
SELECT id, amount FROM unpaid WHERE payment IS NULL;
CREATE SINK paid_parquet WITH (connector = 'file', path = 'out/paid', format = 'parquet') AS SELECT * FROM paid;
