import { Random } from '../fuzz/random.ts';

/** Views of every operator in a few files, so that one crash is met by many of them. */
export interface Scenario {
  readonly name: string;
  readonly sql: string;
  /** What is fed in an epoch, as statements of a test file. */
  readonly epoch: (random: Random, second: number) => string;
}

const SOURCES = `
CREATE SOURCE a (id INTEGER, k VARCHAR, v BIGINT, d DOUBLE, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '2 seconds') WITH (connector = 'feed');
CREATE SOURCE b (id INTEGER, k VARCHAR, w BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '3 seconds') WITH (connector = 'feed');
CREATE TABLE t (k VARCHAR PRIMARY KEY, name VARCHAR, score INTEGER DEFAULT 1);
CREATE TABLE notes (k VARCHAR, x DOUBLE);
INSERT INTO t VALUES ('p', 'pia', 3), ('q', 'quy', NULL);
`;

const KEYS = ["'p'", "'q'", "'r'", 'NULL'];
const cell = (random: Random, values: readonly string[]): string => random.pick(values);
const time = (second: number): string => `TIMESTAMP '2024-01-01 00:00:00' + INTERVAL '${second} seconds'`;

/** Rows of both streams in disorder, some late, of which some do not decode. */
function rows(random: Random, second: number): string {
  const at = (): string => time(second + random.int(-9, 4));
  const feeds: string[] = [];
  for (const partition of [0, 1]) {
    if (random.oneIn(4)) continue;
    const values = Array.from({ length: random.int(1, 4) }, () => `(${random.int(1, 9)}, ${cell(random, KEYS)}, ${random.int(-3, 9)}, ${cell(random, ['0.5', '-0.0', '0.0', "'nan'", '2', 'NULL'])}, ${at()})`); // prettier-ignore
    feeds.push(`FEED a PARTITION ${partition} VALUES ${values.join(', ')};`);
  }
  const values = Array.from({ length: random.int(1, 3) }, () => `(${random.int(1, 9)}, ${cell(random, KEYS)}, ${random.int(0, 5)}, ${at()})`); // prettier-ignore
  feeds.push(`FEED b VALUES ${values.join(', ')};`);
  if (random.oneIn(4)) feeds.push(`FEED a FORMAT json $$\n{"id": "no number", "k": "p"}\n{"id": 3, "k": "p", "v": 1, "d": 1, "ts": "2024-01-01 00:00:${String(Math.min(59, second)).padStart(2, '0')}"}\n$$;`); // prettier-ignore
  return feeds.join('\n');
}

/** Changes of the tables. */
function changes(random: Random): string {
  const k = cell(random, ["'p'", "'q'", "'r'", "'s'"]);
  return random.pick([
    `INSERT INTO t VALUES (${k}, 'n${random.int(1, 9)}', ${random.int(1, 5)}) ON CONFLICT (k) DO UPDATE SET name = excluded.name;`,
    `UPDATE t SET score = score + 1 WHERE k = ${k};`,
    `DELETE FROM t WHERE k = ${k};`,
    `INSERT INTO notes VALUES (${k}, ${random.int(1, 3)}), (${k}, -0.0), (NULL, 'nan');`,
    `DELETE FROM notes WHERE k = ${k};`,
    `UPDATE notes SET x = x + 1; INSERT INTO notes SELECT k, score FROM t;`,
    '',
  ]);
}

const tick = (random: Random): string => `ADVANCE CLOCK '${random.pick([1, 3, 10])} seconds';`;

const WINDOWS: Scenario = {
  name: 'windows',
  sql: `${SOURCES}
CREATE MATERIALIZED VIEW tumble AS SELECT window_start, k, count(*) AS n, sum(v) AS s, max(d) AS top FROM TUMBLE(a, ts, INTERVAL '5 seconds') GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW hop AS SELECT window_end, count(*) AS n, min(v) AS least FROM HOP(a, ts, INTERVAL '2 seconds', INTERVAL '6 seconds') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW hop_now AS SELECT window_start, k, avg(v) AS mean FROM HOP(a, ts, INTERVAL '2 seconds', INTERVAL '4 seconds') GROUP BY window_start, window_end, k;
CREATE MATERIALIZED VIEW cumulated AS SELECT window_start, window_end, sum(v) AS s FROM CUMULATE(a, ts, INTERVAL '2 seconds', INTERVAL '6 seconds') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW middle AS SELECT window_start, median(v) AS m, list(id ORDER BY id) AS ids FROM TUMBLE(a, ts, INTERVAL '5 seconds') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW sets AS SELECT window_start, k, id % 2 AS odd, count(*) AS n FROM TUMBLE(a, ts, INTERVAL '5 seconds') GROUP BY GROUPING SETS ((window_start, window_end, k), (window_start, window_end, id % 2)) EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW lenient AS SELECT window_start, k, count(*) AS n FROM TUMBLE(a, ts, INTERVAL '5 seconds') GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE ALLOWED LATENESS INTERVAL '4 seconds';
CREATE MATERIALIZED VIEW visits AS SELECT k, window_start, window_end, count(*) AS n FROM SESSION(a, ts, INTERVAL '2 seconds', partition_by => [k]) GROUP BY k, window_start, window_end;
CREATE MATERIALIZED VIEW visited AS SELECT k, window_start, window_end, sum(v) AS s FROM SESSION(a, ts, INTERVAL '2 seconds', partition_by => [k]) GROUP BY k, window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW above AS SELECT max(n) AS most, count(*) AS windows FROM tumble;
CREATE MATERIALIZED VIEW every AS SELECT k, count(*) AS n FROM a GROUP BY k EMIT EVERY INTERVAL '4 seconds';
CREATE SINK closed WITH (connector = 'file', path = 'closed') AS SELECT window_start, k, n FROM tumble;
CREATE SINK lately WITH (connector = 'print') AS SELECT * FROM lenient;`,
  epoch: (random, second) => `${rows(random, second)}\n${random.oneIn(2) ? tick(random) : ''}`,
};

const AGGREGATES: Scenario = {
  name: 'aggregates and sets',
  sql: `${SOURCES}
CREATE MATERIALIZED VIEW live AS SELECT k, count(*) AS n, avg(v) AS mean, min(v) AS least, max(d) AS top FROM a GROUP BY k;
CREATE MATERIALIZED VIEW filtered AS SELECT k, sum(v) FILTER (v > 2) AS s FROM a GROUP BY k HAVING sum(v) > 3;
CREATE MATERIALIZED VIEW kinds AS SELECT k, count(DISTINCT v) AS n FROM a GROUP BY k;
CREATE MATERIALIZED VIEW all_in_all AS SELECT count(*) AS n, sum(v) AS s, count(DISTINCT k) AS keys FROM a;
CREATE MATERIALIZED VIEW middle AS SELECT k, median(v) AS m, list(DISTINCT id ORDER BY id) AS ids FROM a GROUP BY k;
CREATE MATERIALIZED VIEW firsts AS SELECT DISTINCT k, v FROM a;
CREATE MATERIALIZED VIEW once AS SELECT DISTINCT ON (k) k, id, ts FROM a ORDER BY ts;
CREATE MATERIALIZED VIEW top_of_key AS SELECT k, v, id FROM a QUALIFY row_number() OVER (PARTITION BY k ORDER BY v DESC, id) <= 2;
CREATE MATERIALIZED VIEW top_of_all AS SELECT k, v, id FROM a ORDER BY v DESC, id LIMIT 3;
CREATE MATERIALIZED VIEW running AS SELECT k, id, sum(v) OVER (PARTITION BY k ORDER BY ts, id) AS s FROM a;
CREATE MATERIALIZED VIEW together AS SELECT k, v FROM a UNION ALL SELECT k, w FROM b UNION ALL SELECT * FROM (VALUES ('z', 0)) AS one(k, v);
CREATE MATERIALIZED VIEW without AS SELECT k, v FROM a EXCEPT SELECT k, w FROM b;
CREATE MATERIALIZED VIEW shared AS SELECT k FROM a INTERSECT SELECT k FROM b;
CREATE MATERIALIZED VIEW recent AS SELECT k, v FROM a WHERE ts > now() - INTERVAL '20 seconds';
CREATE MATERIALIZED VIEW of_live AS SELECT n, count(*) AS keys, max(least) AS m FROM live GROUP BY n;
CREATE MATERIALIZED VIEW best AS SELECT k, n FROM live WHERE n = (SELECT max(n) FROM live);
CREATE SINK changed WITH (connector = 'print') AS SELECT k, n, least FROM live;
CREATE SINK added WITH (connector = 'print', limit = 2) AS SELECT k, v FROM firsts;`,
  epoch: (random, second) => `${rows(random, second)}\n${random.oneIn(2) ? tick(random) : ''}`,
};

const JOINS: Scenario = {
  name: 'joins',
  sql: `${SOURCES}
CREATE MATERIALIZED VIEW near AS SELECT a.id, b.id AS other FROM a JOIN b ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '3 seconds' AND b.ts + INTERVAL '2 seconds';
CREATE MATERIALIZED VIEW ever AS SELECT a.id, b.w FROM a JOIN b USING (k);
CREATE MATERIALIZED VIEW pairs AS SELECT x.id, y.id AS other FROM a x JOIN a y ON x.k = y.k AND x.v = y.v;
CREATE MATERIALIZED VIEW three AS SELECT a.id, b.w, t.name FROM a JOIN b ON a.id = b.id JOIN t ON t.k = a.k;
CREATE MATERIALIZED VIEW lefts AS SELECT a.id, b.w FROM a LEFT JOIN b ON a.k = b.k;
CREATE MATERIALIZED VIEW fulls AS SELECT a.id, b.id AS other FROM a FULL JOIN b ON a.id = b.id AND a.v > b.w;
CREATE MATERIALIZED VIEW semis AS SELECT id, k FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k);
CREATE MATERIALIZED VIEW antis AS SELECT id, k FROM a WHERE id NOT IN (SELECT w FROM b);
CREATE MATERIALIZED VIEW proved AS SELECT a.id, b.w FROM a LEFT JOIN b ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '2 seconds' AND a.ts + INTERVAL '2 seconds' EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW full_proved AS SELECT a.id, b.id AS other FROM a FULL JOIN b ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '2 seconds' AND a.ts EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW alone AS SELECT a.id FROM a ANTI JOIN b ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '1 second' AND a.ts + INTERVAL '1 second' EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW asof AS SELECT a.id, b.w FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.ts >= b.ts;
CREATE MATERIALIZED VIEW versions AS SELECT a.id, b.w FROM a LEFT JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k = b.k;
CREATE MATERIALIZED VIEW settled AS SELECT a.id, b.w FROM a JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k = b.k EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW looked_up AS SELECT a.id, t.name FROM a LEFT JOIN t FOR SYSTEM_TIME AS OF PROCTIME() ON a.k = t.k;
CREATE MATERIALIZED VIEW listed AS SELECT a.id, r.rate FROM a JOIN '../fixtures/data/rates.csv' r ON r.rate > a.v;
CREATE MATERIALIZED VIEW of_ever AS SELECT w, count(*) AS n FROM ever GROUP BY w;
CREATE SINK met WITH (connector = 'print') AS SELECT id, other FROM near;
CREATE SINK found WITH (connector = 'print') AS SELECT id, w FROM lefts;`,
  epoch: (random, second) => `${rows(random, second)}\n${random.oneIn(3) ? changes(random) : ''}`,
};

const CHANGES: Scenario = {
  name: 'changes',
  sql: `${SOURCES}
CREATE SOURCE users (id BIGINT PRIMARY KEY, city VARCHAR, score DOUBLE) WITH (connector = 'feed', format = 'upsert');
CREATE SOURCE orders (id BIGINT PRIMARY KEY, buyer BIGINT, cents BIGINT) WITH (connector = 'feed', format = 'debezium');
CREATE SOURCE raw (id BIGINT, cents BIGINT) WITH (connector = 'feed', format = 'debezium');
CREATE MATERIALIZED VIEW people AS SELECT * FROM users;
CREATE MATERIALIZED VIEW cities AS SELECT city, count(*) AS n, sum(score) AS s, min(score) AS least FROM users GROUP BY city;
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(cents) AS s FROM orders;
CREATE MATERIALIZED VIEW bought AS SELECT u.city, o.cents FROM users u JOIN orders o ON o.buyer = u.id;
CREATE MATERIALIZED VIEW buyers AS SELECT u.id, o.id AS o FROM users u LEFT JOIN orders o ON o.buyer = u.id;
CREATE MATERIALIZED VIEW rich AS SELECT id, score FROM users ORDER BY score DESC NULLS LAST, id LIMIT 2;
CREATE MATERIALIZED VIEW sums AS SELECT id, sum(cents) AS s FROM raw GROUP BY id;
CREATE MATERIALIZED VIEW distinct_cities AS SELECT DISTINCT city FROM users;
CREATE MATERIALIZED VIEW named AS SELECT k, upper(name) AS name FROM t WHERE score > 1;
CREATE MATERIALIZED VIEW noted AS SELECT n.k, n.x, t.name FROM notes n LEFT JOIN t ON t.k = n.k;
CREATE MATERIALIZED VIEW numbers AS SELECT k, count(*) AS n, count(DISTINCT x) AS kinds FROM notes GROUP BY k;
CREATE MATERIALIZED VIEW stream AS SELECT a.id, t.score FROM a JOIN t ON t.k = a.k;
CREATE SINK people_changes WITH (connector = 'print') AS SELECT id, city FROM people;
CREATE SINK city_changes WITH (connector = 'file', path = 'cities', changelog = true) AS SELECT city, n FROM cities;`,
  epoch: (random, second) => `${rows(random, second)}\n${logs(random)}\n${changes(random)}\n${changes(random)}`,
};

/** Changes as records: of keys that are there and are not. */
function logs(random: Random): string {
  const users = Array.from({ length: random.int(0, 3) }, () => {
    const id = random.int(1, 5);
    return random.oneIn(4)
      ? `{"$key": {"id": ${id}}, "$deleted": true}`
      : `{"$key": {"id": ${id}}, "id": ${id}, "city": "${random.pick(['Berlin', 'Bonn', 'Ulm'])}", "score": ${random.pick(['1', '2.5', 'null'])}}`;
  });
  const orders = Array.from({ length: random.int(0, 3) }, () => {
    const id = random.int(1, 6);
    return random.oneIn(4)
      ? `{"before": {"id": ${id}}, "after": null, "op": "d"}`
      : `{"before": null, "after": {"id": ${id}, "buyer": ${random.int(1, 5)}, "cents": ${random.int(1, 99)}}, "op": "u"}`;
  });
  const raw = Array.from({ length: random.int(0, 2) }, () => {
    const row = `{"id": ${random.int(1, 3)}, "cents": ${random.int(1, 3)}}`;
    return random.oneIn(3) ? `{"before": ${row}, "after": ${row}, "op": "u"}` : `{"before": null, "after": ${row}, "op": "c"}`; // prettier-ignore
  });
  const feed = (source: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `FEED ${source} FORMAT json $$\n${lines.join('\n')}\n$$;`;
  return [feed('users', users), feed('orders', orders), feed('raw', raw)].join('\n');
}

const PROCESSING: Scenario = {
  name: 'the clock and sources of their own',
  sql: `
CREATE SOURCE clicks (page VARCHAR, pt AS PROCTIME()) WITH (connector = 'feed');
CREATE SOURCE made (i AS n, k AS n % 7) WITH (connector = 'generator', rows = 500);
CREATE MATERIALIZED VIEW counted AS SELECT window_start, count(*) AS n FROM TUMBLE(clicks, pt, INTERVAL '5 seconds') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW stamped AS SELECT page, pt FROM clicks;
CREATE MATERIALIZED VIEW lately AS SELECT page, count(*) AS n FROM clicks WHERE pt > now() - INTERVAL '6 seconds' GROUP BY page;
CREATE MATERIALIZED VIEW sums AS SELECT k, sum(i) AS s FROM made GROUP BY k;
CREATE SINK windows WITH (connector = 'print') AS SELECT window_start, n FROM counted;`,
  epoch: (random) =>
    `${tick(random)}\nFEED clicks VALUES ${Array.from({ length: random.int(1, 3) }, () => `('${random.pick(['x', 'y'])}')`).join(', ')};`, // prettier-ignore
};

export const SCENARIOS: readonly Scenario[] = [WINDOWS, AGGREGATES, JOINS, CHANGES, PROCESSING];

/** The scenario as the text of a test file with one case. */
export function scenarioText({ sql, epoch }: Scenario, seed: number, epochs: number): string {
  const random = new Random(seed);
  const steps = Array.from({ length: epochs }, (_, i) => `${epoch(random, 3 * i)}\nEPOCH;`);
  return `${sql}\n\nTEST 'all';\nSET CLOCK = TIMESTAMP '2024-01-01 00:00:10';\n${steps.join('\n')}\nEND;\n`;
}
