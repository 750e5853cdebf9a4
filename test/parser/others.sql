--- RisingWave: source
CREATE SOURCE IF NOT EXISTS ad_impression (bid_id BIGINT, ad_id BIGINT, impression_timestamp TIMESTAMP WITH TIME ZONE,
  WATERMARK FOR impression_timestamp AS impression_timestamp - INTERVAL '5 minutes')
WITH (connector = 'kafka', topic = 'ad_impression', properties.bootstrap.server = 'message_queue:29092', scan.startup.mode = 'earliest');
--- RisingWave: format; refused UNSUPPORTED: FORMAT … ENCODE … is not supported
CREATE SOURCE s (a INT) WITH (connector = 'kafka', topic = 't') FORMAT PLAIN ENCODE JSON;
--- RisingWave: nested type
CREATE SOURCE s (profile STRUCT<id INT, address STRUCT<city VARCHAR, zips VARCHAR[]>>, at TIMESTAMPTZ) WITH (connector = 'datagen');
--- RisingWave: materialized view
CREATE MATERIALIZED VIEW ctr AS
SELECT count(*) AS n, window_start FROM tumble(ad_impression, impression_timestamp, INTERVAL '1 MINUTE') GROUP BY window_start;
--- RisingWave: on window close
CREATE MATERIALIZED VIEW window_count AS
SELECT window_start, count(*) FROM TUMBLE(events, event_time, INTERVAL '1' MINUTE) GROUP BY window_start EMIT ON WINDOW CLOSE;
--- RisingWave: hop over a subquery
SELECT product, window_end FROM HOP((SELECT * FROM taxi WHERE fare > 1), completed_at, INTERVAL '1 MINUTES', INTERVAL '2 MINUTES');
--- RisingWave: process-time temporal join
SELECT id1, a1, id2, a2 FROM stream LEFT JOIN versioned FOR SYSTEM_TIME AS OF PROCTIME() ON id1 = id2;
--- RisingWave: sink from a view
CREATE SINK IF NOT EXISTS target_sink FROM mv WITH (connector = 'kafka', topic = 'target', properties.bootstrap.server = 'localhost:9092');
--- RisingWave: sink as
CREATE SINK s AS SELECT avg(distance) AS d FROM taxi_trips WITH (connector = 'kafka', topic = 'test');
--- RisingWave: sink into; refused UNSUPPORTED: a sink into a table is not supported
CREATE SINK s INTO t AS SELECT 1;
--- RisingWave: function; refused UNSUPPORTED: CREATE FUNCTION is not supported
CREATE FUNCTION gcd(a int, b int) RETURNS int LANGUAGE python AS $$ def gcd(a, b): pass $$;
--- RisingWave: table
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR);
--- RisingWave: filtering by now
CREATE MATERIALIZED VIEW recent AS SELECT * FROM sales WHERE sale_date > NOW() - INTERVAL '1 week';
--- RisingWave: show and drop
SHOW MATERIALIZED VIEWS; SHOW SOURCES; SHOW SINKS; DROP MATERIALIZED VIEW IF EXISTS ctr; DROP SOURCE s; DROP SINK s;
--- RisingWave: drop cascade; refused UNSUPPORTED: DROP … CASCADE is not supported
DROP SOURCE s CASCADE;
--- Materialize: source; refused SYNTAX: expected ( or WITH, found FROM
CREATE SOURCE json_source FROM KAFKA CONNECTION kafka_connection (TOPIC 'test_topic') FORMAT JSON;
--- Materialize: connection; refused UNSUPPORTED: CREATE CONNECTION is not supported
CREATE CONNECTION kafka_connection TO KAFKA (BROKER 'localhost:9092');
--- Materialize: subscribe; refused SYNTAX: expected a statement, found SUBSCRIBE
SUBSCRIBE TO counter_sum;
--- Arroyo: table with a generated column; refused UNSUPPORTED: GENERATED is not supported here
CREATE TABLE events (ts TEXT, event_time TIMESTAMP GENERATED ALWAYS AS (CAST(ts AS TIMESTAMP)) STORED) WITH (connector = 'kafka');
--- Arroyo: impulse
CREATE TABLE impulse WITH (connector = 'impulse', event_rate = '10');
--- Arroyo: grouping by a hop without a time column
SELECT hop(interval '2 seconds', interval '10 seconds') as window, bid.auction, count(*) as num FROM nexmark WHERE bid IS NOT NULL GROUP BY 1, 2;
--- Arroyo: window as a name
SELECT window.start, window.end, num FROM (SELECT tumble(interval '10 seconds') as window, count(*) as num FROM t GROUP BY window);
--- Arroyo: top n by window
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window ORDER BY num DESC) AS row_num
  FROM (SELECT count(*) AS num, auction, hop(INTERVAL '2' SECOND, INTERVAL '60' SECOND) AS window FROM bids GROUP BY auction, window)
) WHERE row_num <= 5;
--- Arroyo: session
SELECT session(interval '20 seconds') as window, user_id, count(*) FROM events GROUP BY window, user_id;
--- ksqlDB: stream with its properties
CREATE STREAM riderLocations (profileId VARCHAR, latitude DOUBLE, longitude DOUBLE)
  WITH (kafka_topic = 'locations', value_format = 'json', partitions = 1);
--- ksqlDB: create stream as; refused UNSUPPORTED: CREATE STREAM … AS SELECT is not supported
CREATE STREAM s AS SELECT a FROM t EMIT CHANGES;
--- ksqlDB: push query
SELECT * FROM riderLocations WHERE latitude > 37.4 EMIT CHANGES;
--- ksqlDB: push query with a limit
SELECT ID, COUNT(*) FROM orders GROUP BY ID EMIT CHANGES LIMIT 10;
--- ksqlDB: window clause; refused UNSUPPORTED: WINDOW TUMBLING (…) is not supported
SELECT card, count(*) FROM authorizations WINDOW TUMBLING (SIZE 5 SECONDS) GROUP BY card HAVING COUNT(*) > 3 EMIT CHANGES;
--- ksqlDB: join within; refused UNSUPPORTED: joins WITHIN a time are not supported in this spelling
SELECT o.id FROM orders o INNER JOIN shipments s WITHIN 7 DAYS ON s.order_id = o.id EMIT CHANGES;
--- ksqlDB: final
SELECT card, count(*) FROM TUMBLE(t, ts, INTERVAL 5 SECONDS) GROUP BY card EMIT FINAL;
--- ksqlDB: insert values
INSERT INTO riderLocations (profileId, latitude, longitude) VALUES ('c2309eec', 37.7877, -122.4205);
--- ksqlDB: terminate; refused UNSUPPORTED: TERMINATE is not supported
TERMINATE query_1;
--- ksqlDB: print; refused UNSUPPORTED: PRINT is not supported
PRINT 'topic' FROM BEGINNING;
--- Timeplus: bare durations
SELECT device, max(value), window_end FROM tumble(device_utils, 5s) GROUP BY device, window_end;
--- Timeplus: hop with bare durations
SELECT device, count(*) FROM hop(device_utils, ts, 1m, 1h30m) GROUP BY device, window_end;
--- Timeplus: emit periodic; refused UNSUPPORTED: EMIT PERIODIC is not supported
SELECT count(*) FROM t EMIT PERIODIC 5s;
--- Spark: window function; refused UNSUPPORTED: there is no function window()
SELECT window(ts, '10 minutes'), count(*) FROM t GROUP BY window(ts, '10 minutes');
--- Spark: struct type
SELECT CAST(j AS STRUCT<a: INT, b: STRING>) FROM t;
--- Calcite: stream; refused SYNTAX: there is no EMIT CHANGE
SELECT a FROM t EMIT CHANGE;
--- Beam: emit after watermark
SELECT wend, max(price) FROM Tumble(data => Bid, timecol => bidtime, size => INTERVAL '10' MINUTE) GROUP BY wend EMIT AFTER WATERMARK;
--- Beam: emit after delay; refused UNSUPPORTED: EMIT AFTER is not supported
SELECT wend FROM t EMIT AFTER DELAY INTERVAL '6' MINUTES;
--- DuckDB: from first
FROM bids SELECT auction, price WHERE price > 100 EMIT CHANGES;
--- DuckDB: lists, lambdas and casts
SELECT [x + 1 FOR x IN l IF x > 2], list_transform(l, lambda x: x * 2), a::DECIMAL(10, 2), b::TIMESTAMP(3), {'k': 1}.k, s[1:2] FROM t;
--- DuckDB: asof join
SELECT t.*, p.price FROM trades t ASOF JOIN prices p ON t.symbol = p.symbol AND t.at >= p.at;
--- DuckDB: recursive
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n;
--- DuckDB: qualify
SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b DESC) <= 3;
--- DuckDB: values
VALUES (1, 'a'), (2, 'b');
--- DuckDB: pragma; refused UNSUPPORTED: PRAGMA is not supported
PRAGMA database_size;
--- update
UPDATE t SET a = 1;
--- delete
DELETE FROM t WHERE a = 1;
--- replace; refused UNSUPPORTED: CREATE OR REPLACE is not supported
CREATE OR REPLACE VIEW v AS SELECT 1;
