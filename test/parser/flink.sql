--- kafka source with everything a column may be
CREATE TABLE user_behaviour (
  user_id BIGINT COMMENT 'who',
  item_id STRING,
  tags ARRAY<STRING>,
  attributes MAP<STRING, DOUBLE>,
  payload BYTES,
  amount DECIMAL(10, 2),
  event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
  `partition` INT METADATA VIRTUAL,
  `offset` BIGINT METADATA VIRTUAL,
  cost AS amount * 1.2,
  proc AS PROCTIME(),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) COMMENT 'a topic' WITH (
  'connector' = 'kafka',
  'topic' = 'user_behaviour',
  'properties.bootstrap.servers' = 'localhost:9092',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);
--- primary key
CREATE TABLE products (id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'upsert-kafka');
--- not null
CREATE TABLE t (id BIGINT NOT NULL, at TIMESTAMP(3) NOT NULL METADATA FROM 'timestamp' COMMENT 'when', r ROW<a INT NOT NULL, b ARRAY<INT NOT NULL>>) WITH ('connector' = 'kafka');
--- like; refused UNSUPPORTED: LIKE is not supported after the columns
CREATE TABLE t2 (extra STRING) LIKE t (INCLUDING ALL);
--- create table as; refused UNSUPPORTED: CREATE TABLE … AS SELECT is not supported
CREATE TABLE t3 WITH ('connector' = 'kafka') AS SELECT id FROM t;
--- temporary view; refused UNSUPPORTED: CREATE TEMPORARY is not supported
CREATE TEMPORARY VIEW v AS SELECT 1;
--- multiset; refused UNSUPPORTED: there is no MULTISET type
CREATE TABLE t (m MULTISET<STRING>) WITH ('connector' = 'kafka');
--- tumble
SELECT window_start, window_end, SUM(price) AS total_price
FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES))
GROUP BY window_start, window_end;
--- tumble, arguments by name, with an offset
SELECT * FROM TABLE(
   TUMBLE(
     DATA => TABLE Bid,
     TIMECOL => DESCRIPTOR(bidtime),
     SIZE => INTERVAL '10' MINUTES,
     OFFSET => INTERVAL '1' MINUTES));
--- hop, arguments by name
SELECT * FROM TABLE(
    HOP(DATA => TABLE Bid, TIMECOL => DESCRIPTOR(bidtime), SLIDE => INTERVAL '5' MINUTES, SIZE => INTERVAL '10' MINUTES));
--- cumulate
SELECT window_start, window_end, SUM(price)
FROM TABLE(CUMULATE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '2' MINUTES, INTERVAL '10' MINUTES))
GROUP BY window_start, window_end;
--- session without keys
SELECT window_start, window_end, SUM(price) FROM TABLE(SESSION(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end;
--- session, arguments by name, with keys
SELECT item, window_start, SUM(price) FROM TABLE(
    SESSION(DATA => TABLE Bid PARTITION BY item, TIMECOL => DESCRIPTOR(bidtime), GAP => INTERVAL '5' MINUTES))
GROUP BY item, window_start, window_end;
--- grouping sets
SELECT window_start, window_end, supplier_id, SUM(price) as price
FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES))
GROUP BY window_start, window_end, GROUPING SETS ((supplier_id), ());
--- cascaded windows
CREATE VIEW window1 AS
SELECT window_start AS window_5mintumble_start, window_time AS rowtime, SUM(price) AS partial_price
FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES))
GROUP BY supplier_id, window_start, window_end, window_time;
SELECT window_start, window_end, SUM(partial_price) AS total_price
FROM TABLE(TUMBLE(TABLE window1, DESCRIPTOR(rowtime), INTERVAL '10' MINUTES))
GROUP BY window_start, window_end;
--- window join
SELECT L.num as L_Num, R.num as R_Num, COALESCE(L.window_start, R.window_start) as window_start
FROM (SELECT * FROM TABLE(TUMBLE(TABLE LeftTable, DESCRIPTOR(row_time), INTERVAL '5' MINUTES))) L
FULL JOIN (SELECT * FROM TABLE(TUMBLE(TABLE RightTable, DESCRIPTOR(row_time), INTERVAL '5' MINUTES))) R
ON L.num = R.num AND L.window_start = R.window_start AND L.window_end = R.window_end;
--- interval join
SELECT * FROM Orders o, Shipments s
WHERE o.id = s.order_id AND o.order_time BETWEEN s.ship_time - INTERVAL '4' HOUR AND s.ship_time;
--- temporal join
SELECT order_id, price, orders.currency, conversion_rate, order_time
FROM orders
LEFT JOIN currency_rates FOR SYSTEM_TIME AS OF orders.order_time
ON orders.currency = currency_rates.currency;
--- lookup join
SELECT o.order_id, o.total, c.country, c.zip
FROM Orders AS o JOIN Customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.customer_id = c.id;
--- as of a moment
SELECT * FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2023-07-31 00:00:00' + INTERVAL '1' DAY;
--- unnest
SELECT order_id, tag FROM Orders CROSS JOIN UNNEST(tags) AS t (tag);
--- lateral table function
SELECT order_id, res FROM Orders LEFT OUTER JOIN LATERAL TABLE(table_func(order_id)) t(res) ON TRUE;
--- window top n
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) as rownum
  FROM (
    SELECT window_start, window_end, supplier_id, SUM(price) as price, COUNT(*) as cnt
    FROM TABLE(TUMBLE(TABLE Bid, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES))
    GROUP BY window_start, window_end, supplier_id
  )
) WHERE rownum <= 3;
--- deduplication
SELECT order_id, user, product, num FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY product ORDER BY proctime ASC) AS row_num FROM Orders
) WHERE row_num = 1;
--- over window
SELECT order_id, order_time, amount,
  SUM(amount) OVER (PARTITION BY product ORDER BY order_time RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) AS one_hour
FROM Orders;
--- named over window
SELECT SUM(amount) OVER w AS sum_amount, AVG(amount) OVER w FROM Orders
WINDOW w AS (PARTITION BY product ORDER BY order_time RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW);
--- grouping windows
SELECT user, TUMBLE_START(order_time, INTERVAL '1' DAY) AS wStart, TUMBLE_ROWTIME(order_time, INTERVAL '1' DAY), SUM(amount)
FROM Orders GROUP BY TUMBLE(order_time, INTERVAL '1' DAY), user;
--- hopping groups
SELECT HOP_START(ts, INTERVAL '5' MINUTE, INTERVAL '1:30' HOUR TO MINUTE), COUNT(*)
FROM t GROUP BY HOP(ts, INTERVAL '5' MINUTE, INTERVAL '1:30' HOUR TO MINUTE);
--- constructors
SELECT ROW(1, 'a'), ARRAY[1, 2, 3], MAP['a', 1, 'b', 2], CAST(x AS ROW<a INT, b ARRAY<STRING>>), CAST(y AS TIMESTAMP_LTZ(3)) FROM t;
--- hints; refused UNSUPPORTED: OPTIONS hints are not supported
SELECT id FROM kafka_table1 /*+ OPTIONS('scan.startup.mode'='earliest-offset') */;
--- match_recognize; refused UNSUPPORTED: MATCH_RECOGNIZE is not supported
SELECT * FROM Ticker MATCH_RECOGNIZE (PARTITION BY symbol ORDER BY rowtime MEASURES A.price AS p PATTERN (A B) DEFINE B AS B.price > A.price) AS T;
--- statement set; refused UNSUPPORTED: EXECUTE is not supported
EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; END;
--- insert overwrite; refused UNSUPPORTED: INSERT OVERWRITE is not supported
INSERT OVERWRITE t SELECT 1;
--- set, as the SQL client has it
SET 'table.exec.state.ttl' = '1 h';
SET 'execution.runtime-mode' = 'streaming';
--- show and describe
SHOW TABLES; SHOW VIEWS; SHOW CREATE TABLE user_behaviour; DESCRIBE user_behaviour; DESC user_behaviour;
--- explain
EXPLAIN PLAN FOR SELECT a FROM t;
--- alter; refused UNSUPPORTED: ALTER is not supported
ALTER TABLE t RENAME TO u;
--- fetch first
SELECT * FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY;
