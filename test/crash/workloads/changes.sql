-- Sources whose records change rows, and views that recompute the keys that are touched.
CREATE SOURCE accounts (id BIGINT PRIMARY KEY, owner VARCHAR, city VARCHAR, balance BIGINT)
WITH (connector = 'file', path = 'in/accounts-*.ndjson', format = 'debezium');
CREATE SOURCE cities (city VARCHAR PRIMARY KEY, country VARCHAR)
WITH (connector = 'file', path = 'in/cities.ndjson', format = 'upsert');
CREATE SOURCE transfers (id BIGINT, account BIGINT, amount BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '1 second')
WITH (connector = 'file', path = 'in/transfers-*.ndjson', format = 'json');

CREATE MATERIALIZED VIEW by_city AS
SELECT city, count(*) AS n, sum(balance) AS total, max(balance) AS most, min(owner) AS first_owner FROM accounts GROUP BY city;

CREATE MATERIALIZED VIEW ranked AS
SELECT city, id, balance, rank() OVER (PARTITION BY city ORDER BY balance DESC) AS place,
  sum(balance) OVER (PARTITION BY city ORDER BY id) AS running
FROM accounts;

CREATE MATERIALIZED VIEW richest AS
SELECT city, id, balance FROM accounts QUALIFY row_number() OVER (PARTITION BY city ORDER BY balance DESC, id) <= 3;

CREATE MATERIALIZED VIEW by_country AS
SELECT c.country, count(*) AS accounts, sum(a.balance) AS total
FROM accounts a JOIN cities c ON c.city = a.city GROUP BY c.country;

CREATE MATERIALIZED VIEW homeless AS
SELECT a.id, a.city FROM accounts a LEFT JOIN cities c ON c.city = a.city WHERE c.city IS NULL;

CREATE MATERIALIZED VIEW idle_owners AS
SELECT owner FROM accounts EXCEPT SELECT a.owner FROM accounts a JOIN transfers t ON t.account = a.id;

CREATE MATERIALIZED VIEW moved AS
SELECT a.city, sum(t.amount) AS amount, count(*) AS n FROM transfers t JOIN accounts a ON a.id = t.account GROUP BY a.city;

CREATE MATERIALIZED VIEW above_average AS
SELECT id, balance FROM accounts WHERE balance > (SELECT avg(balance) FROM accounts);

CREATE MATERIALIZED VIEW busiest AS
SELECT account, sum(amount) AS amount FROM transfers GROUP BY account ORDER BY sum(amount) DESC, account LIMIT 10;

CREATE SINK cities_changes WITH (connector = 'file', path = 'out/by-city', format = 'json', changelog = true) AS
SELECT city, n, total FROM by_city;
