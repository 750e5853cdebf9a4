-- Orders that were paid within five minutes: a join of two streams with a time bound.
--
--   streamsql run queries/orders-payments.sql
--
-- The bound makes the answer right (a payment an hour later is another matter) and the state small: an order is kept for
-- five minutes of event time and no longer, however long the stream runs.

CREATE SOURCE orders (
  order_id BIGINT,
  customer VARCHAR,
  amount DECIMAL(10, 2),
  ordered_at TIMESTAMP,
  WATERMARK FOR ordered_at AS ordered_at - INTERVAL '10 seconds'
) WITH (connector = 'file', path = '${DATA:-queries/data}/orders.json');

CREATE SOURCE payments (
  order_id BIGINT,
  paid DECIMAL(10, 2),
  method VARCHAR,
  paid_at TIMESTAMP,
  WATERMARK FOR paid_at AS paid_at - INTERVAL '10 seconds'
) WITH (connector = 'file', path = '${DATA:-queries/data}/payments.csv');

CREATE MATERIALIZED VIEW paid_orders AS
SELECT o.order_id, o.customer, o.amount, p.paid, p.method, o.ordered_at, date_diff('second', o.ordered_at, p.paid_at) AS seconds
FROM orders AS o
JOIN payments AS p ON p.order_id = o.order_id
 AND p.paid_at BETWEEN o.ordered_at AND o.ordered_at + INTERVAL '5 minutes';

-- A view over a view: what each way of paying brought in, kept up to date with every payment.

CREATE MATERIALIZED VIEW takings AS
SELECT method, count(*) AS payments, sum(paid) AS total FROM paid_orders GROUP BY method;

SELECT order_id, customer, amount, paid, method, seconds FROM paid_orders ORDER BY order_id, seconds;
SELECT method, payments, total FROM takings ORDER BY total DESC;
