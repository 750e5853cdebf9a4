--- Flink: orders with a key, quoted options and a watermark
CREATE TABLE `shop_orders` (
  `order_id` BIGINT NOT NULL,
  `buyer` STRING COMMENT 'who pays',
  `lines` ARRAY<ROW<`sku` STRING NOT NULL, `count` INT, `price` DECIMAL(12, 2)>>,
  `placed_at` TIMESTAMP(3),
  `seen_at` AS PROCTIME(),
  WATERMARK FOR `placed_at` AS `placed_at` - INTERVAL '30' SECOND,
  CONSTRAINT `pk` PRIMARY KEY (`order_id`) NOT ENFORCED
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders',
  'properties.bootstrap.servers' = '${BROKERS:-localhost:9092}',
  'properties.group.id' = 'shop',
  'value.format' = 'debezium-json'
);
--- Flink: upsert table of versions
CREATE TABLE rates (
  currency CHAR(3) PRIMARY KEY NOT ENFORCED,
  rate DECIMAL(18, 6),
  valid_from TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR valid_from AS valid_from
) WITH ('connector' = 'upsert-kafka', 'topic' = 'rates', 'key.format' = 'raw', 'value.format' = 'json');
--- Flink: event-time temporal join with an alias
SELECT o.order_id, o.price * r.rate AS euros, o.order_time
FROM orders AS o
LEFT JOIN rates FOR SYSTEM_TIME AS OF o.order_time AS r
ON o.currency = r.currency;
--- Flink: lookup join at processing time
SELECT o.id, c.country FROM orders AS o
JOIN customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.customer_id = c.id
WHERE c.country IN ('AT', 'NL');
--- Flink: two temporal joins in a row
SELECT v.page, u.city, p.title FROM views v
JOIN users FOR SYSTEM_TIME AS OF v.ts AS u ON v.user_id = u.id
JOIN pages FOR SYSTEM_TIME AS OF v.ts AS p ON v.page = p.path;
--- Flink: tumbling window with an offset
SELECT window_start, window_end, COUNT(DISTINCT user_id) AS uv
FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '-8' HOUR))
GROUP BY window_start, window_end;
--- Flink: cumulating day in steps
SELECT window_start, window_end, item, SUM(amount) AS so_far
FROM TABLE(CUMULATE(DATA => TABLE sales, TIMECOL => DESCRIPTOR(ts), STEP => INTERVAL '10' MINUTES, SIZE => INTERVAL '1' DAY))
GROUP BY window_start, window_end, GROUPING SETS ((item), ());
--- Flink: session by user
SELECT user_id, window_start, window_end, COUNT(*) AS clicks
FROM TABLE(SESSION(TABLE clicks PARTITION BY user_id, DESCRIPTOR(click_time), INTERVAL '15' MINUTES))
GROUP BY user_id, window_start, window_end;
--- Flink: session in GROUP BY
SELECT user_id, SESSION_START(ts, INTERVAL '5' MINUTE) AS s, SESSION_END(ts, INTERVAL '5' MINUTE) AS e,
  SESSION_ROWTIME(ts, INTERVAL '5' MINUTE) AS rt, COUNT(*)
FROM clicks GROUP BY user_id, SESSION(ts, INTERVAL '5' MINUTE);
--- Flink: hop in GROUP BY, at processing time
SELECT HOP_END(proc, INTERVAL '1' MINUTE, INTERVAL '1' HOUR) AS e, HOP_PROCTIME(proc, INTERVAL '1' MINUTE, INTERVAL '1' HOUR), MAX(temp)
FROM readings GROUP BY HOP(proc, INTERVAL '1' MINUTE, INTERVAL '1' HOUR), room;
--- Flink: window deduplication
SELECT * FROM (
  SELECT bidtime, price, item, window_start, window_end,
    ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY bidtime DESC) AS rn
  FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES))
) WHERE rn <= 1;
--- Flink: window semi join
SELECT L.num, L.id FROM (SELECT * FROM TABLE(TUMBLE(TABLE LeftTable, DESCRIPTOR(row_time), INTERVAL '5' MINUTES))) L
WHERE L.num IN (
  SELECT num FROM (SELECT * FROM TABLE(TUMBLE(TABLE RightTable, DESCRIPTOR(row_time), INTERVAL '5' MINUTES))) R
  WHERE L.window_start = R.window_start AND L.window_end = R.window_end);
--- Flink: top n of each category
SELECT category, product_id, sales FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY category ORDER BY sales DESC, product_id ASC) AS rank_no FROM shop_sales
) WHERE rank_no <= 5;
--- Flink: interval join of requests and answers
SELECT q.id, TIMESTAMPDIFF(SECOND, q.ts, a.ts) AS took FROM requests q JOIN answers a
ON q.id = a.id AND a.ts BETWEEN q.ts AND q.ts + INTERVAL '1:30' MINUTE TO SECOND;
--- Flink: exploding an array with its positions
SELECT t.id, u.tag, u.pos FROM tagged AS t CROSS JOIN UNNEST(t.tags) WITH ORDINALITY AS u (tag, pos);
--- Flink: rows, maps and casts
SELECT ROW(id, ROW(x, y)) AS r, MAP['k', v, 'other', CAST(w AS STRING)] AS m, ARRAY[1, 2, 3][1], CAST(ts AS TIMESTAMP(3)) FROM t;
--- Flink: insert from a union of branches
INSERT INTO alerts
SELECT id, 'hot' AS kind, ts FROM readings WHERE temp > 80
UNION ALL
SELECT id, 'cold', ts FROM readings WHERE temp < -20;
--- Flink: offset and fetch
SELECT id, score FROM scores ORDER BY score DESC OFFSET 10 ROWS FETCH NEXT 5 ROWS ONLY;
--- Flink: fetch one row
SELECT id FROM scores ORDER BY score DESC FETCH FIRST ROW ONLY;
--- Flink: filtered aggregates
SELECT DATE_FORMAT(ts, 'yyyy-MM-dd') AS day, COUNT(*) FILTER (WHERE price < 10000) AS low, COUNT(DISTINCT bidder) FILTER (WHERE price >= 10000) AS high
FROM bid GROUP BY DATE_FORMAT(ts, 'yyyy-MM-dd');
--- Flink: a view over a view, with column names
CREATE VIEW hourly (`hour`, `n`) AS SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;
SELECT MAX(`n`) FROM hourly;
--- RisingWave: tumble with an offset
SELECT id, window_start, window_end FROM TUMBLE(taxi_trips, completed_at, INTERVAL '2 minutes', INTERVAL '1 minute') ORDER BY window_start;
--- RisingWave: hop with an offset
SELECT window_start, max(fare) FROM HOP(taxi_trips, completed_at, INTERVAL '1 minute', INTERVAL '4 minutes', INTERVAL '20 seconds') GROUP BY window_start;
--- RisingWave: emit on window close over hop
CREATE MATERIALIZED VIEW busy AS
SELECT zone, window_end, count(*) AS trips FROM HOP(trips, ts, INTERVAL '1 MINUTE', INTERVAL '5 MINUTES')
GROUP BY zone, window_end EMIT ON WINDOW CLOSE;
--- RisingWave: process-time join with casts
CREATE MATERIALIZED VIEW enriched AS
SELECT s.id, (s.payload->>'amount')::numeric AS amount, d.name
FROM stream s LEFT JOIN dims FOR SYSTEM_TIME AS OF PROCTIME() AS d ON s.dim_id = d.id;
--- RisingWave: session frame over rows
SELECT user_id, ts, first_value(ts) OVER (PARTITION BY user_id ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM user_views;
--- RisingWave: retention by now
CREATE MATERIALIZED VIEW last_day AS SELECT * FROM events WHERE event_time > NOW() - INTERVAL '1 day';
--- RisingWave: asof join
SELECT t.symbol, t.qty * q.price FROM trades t ASOF LEFT JOIN quotes q ON t.symbol = q.symbol AND t.ts >= q.ts;
--- RisingWave: source with a computed column and a key
CREATE SOURCE IF NOT EXISTS clicks (id BIGINT PRIMARY KEY, payload JSONB, ts TIMESTAMPTZ, day AS date_trunc('day', ts),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH (connector = 'kafka', topic = 'clicks', properties.bootstrap.server = 'broker:9092');
--- RisingWave: date_trunc and rollup
SELECT date_trunc('hour', ts) AS h, region, sum(x) FROM t GROUP BY ROLLUP (date_trunc('hour', ts), region);
--- RisingWave: sink of a query, options behind
CREATE SINK hot AS SELECT id, max(temp) AS top FROM tumble(readings, ts, INTERVAL '10 seconds') GROUP BY id, window_start EMIT ON WINDOW CLOSE
WITH (connector = 'kafka', properties.bootstrap.server = 'broker:9092', topic = 'hot', type = 'append-only');
--- Materialize: temporal filter
CREATE MATERIALIZED VIEW recent AS SELECT content, inserted_at FROM events WHERE mz_now() <= inserted_at + INTERVAL '30s';
--- Materialize: top k by lateral join
SELECT state, name FROM (SELECT DISTINCT state FROM cities) grp,
LATERAL (SELECT name, pop FROM cities WHERE state = grp.state ORDER BY pop DESC LIMIT 3);
--- Materialize: distinct on
SELECT DISTINCT ON (seller_id) seller_id, item_id, price FROM auctions ORDER BY seller_id, price DESC;
--- Materialize: CTEs and except
WITH paid AS (SELECT order_id FROM payments), shipped AS (SELECT order_id FROM shipments)
SELECT order_id FROM paid EXCEPT ALL SELECT order_id FROM shipped;
--- Materialize: JSON by Postgres operators
SELECT data->'user'->>'name' AS who, (data->>'total')::decimal(10, 2), data->'tags'->0 FROM raw_events WHERE data->>'kind' = 'order';
--- Materialize: correlated exists
SELECT u.id FROM users u WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.total > 100);
--- Materialize: scalar subquery and having
SELECT item, count(*) AS n FROM purchases GROUP BY item HAVING count(*) > (SELECT avg(c) FROM (SELECT count(*) AS c FROM purchases GROUP BY item) AS x);
--- ksqlDB: push query of a count, changes
SELECT regionid, COUNT(*) AS users FROM users_stream GROUP BY regionid HAVING COUNT(*) > 1 EMIT CHANGES;
--- ksqlDB: stream with a struct and an array
CREATE STREAM orders (orderId VARCHAR, address STRUCT<city VARCHAR, state VARCHAR, zip INT>, items ARRAY<VARCHAR>, attributes MAP<VARCHAR, VARCHAR>)
  WITH (kafka_topic = 'orders', value_format = 'JSON');
--- ksqlDB: table with a key
CREATE TABLE users (id BIGINT PRIMARY KEY, usertimestamp BIGINT, gender VARCHAR, region_id VARCHAR)
  WITH (KAFKA_TOPIC = 'my-users-topic', VALUE_FORMAT = 'JSON');
--- ksqlDB: nested fields and CASE
SELECT o.address.city AS city, CASE WHEN o.total > 100 THEN 'big' WHEN o.total > 10 THEN 'fair' ELSE 'small' END AS size FROM orders o EMIT CHANGES;
--- ksqlDB: three joins
SELECT c.name, o.id, p.amount FROM orders o JOIN customers c ON o.customer_id = c.id LEFT JOIN payments p ON p.order_id = o.id EMIT CHANGES LIMIT 5;
--- Arroyo: updating counts over CTEs
CREATE VIEW counts AS (
  WITH clicks AS (SELECT user_id, count(*) AS n FROM events GROUP BY user_id)
  SELECT user_id, n FROM clicks WHERE n > 10
);
--- Beam: tumble by names
SELECT wstart, MAX(price) FROM TABLE(Tumble(data => TABLE Bid, timecol => DESCRIPTOR(bidtime), size => INTERVAL '10' MINUTE, "offset" => INTERVAL '0' MINUTE)) GROUP BY wstart;
--- Calcite: hop and session as table functions
SELECT * FROM TABLE(HOP(TABLE orders, DESCRIPTOR(rowtime), INTERVAL '2' MINUTE, INTERVAL '5' MINUTE)), TABLE(SESSION(TABLE shipments PARTITION BY (product, units), DESCRIPTOR(rowtime), INTERVAL '20' MINUTE)) AS s;
--- Timeplus: emit every so often
SELECT device, count(*) FROM devices GROUP BY device EMIT EVERY 5s;
--- streamsql: coalesced changes
CREATE MATERIALIZED VIEW totals AS SELECT region, sum(amount) FROM orders GROUP BY region EMIT CHANGES EVERY INTERVAL '1' MINUTE;
--- streamsql: corrections of closed windows
CREATE MATERIALIZED VIEW per_minute AS SELECT window_start, count(*) FROM TUMBLE(orders, ts, INTERVAL '1 minute') GROUP BY window_start
EMIT ON WINDOW CLOSE ALLOWED LATENESS INTERVAL '10 minutes';
--- streamsql: lateness in front
INSERT INTO late_too SELECT window_end, sum(x) FROM TUMBLE(orders, ts, 1m) GROUP BY ALL ALLOWED LATENESS 10 MINUTES EMIT ON WINDOW CLOSE;
--- DuckDB: group by all over a list of structs
SELECT kind, list({'id': id, 'at': ts} ORDER BY ts) AS all_of_them, list_filter(xs, lambda x: x > 1) FROM t GROUP BY ALL;
--- Postgres: dollar quotes, escapes and casts
SELECT $tag$it's 'quoted'$tag$::text, E'tab\there', '2024-01-01'::date + INTERVAL '1' DAY, x::double precision, ts AT TIME ZONE 'Europe/Vienna' FROM t;
--- Spark: median by day
SELECT to_date(ts) AS d, percentile_cont(0.5) WITHIN GROUP (ORDER BY latency) FROM requests GROUP BY 1;
