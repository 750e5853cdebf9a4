import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { open } from '../src/engine.ts';
import { committed } from './support/kafka-sinking.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, type TestBroker } from './support/kafka.ts';

/** Columns of every type that a JSON source reads, odd values among them. */
const TYPED = `
  i::TINYINT AS tiny, (i * 100000000000)::BIGINT AS big, (i * 10::HUGEINT ** 30)::HUGEINT AS huge, 18446744073709551615::UBIGINT AS ubig,
  (i / 7)::DOUBLE AS dbl, CASE WHEN i % 3 = 0 THEN 'nan'::DOUBLE WHEN i % 3 = 1 THEN '-inf'::DOUBLE END AS odd, (i / 3)::FLOAT AS flt,
  (i + 0.01)::DECIMAL(4, 2) AS dec, ('1234567890123456789.012345678' || i)::DECIMAL(38, 10) AS wide, i % 2 = 0 AS flag,
  'line' || chr(10) || '"q" \\ ' || chr(1) || chr(9) || 'é' || chr(128512) AS text, DATE '2024-02-29' + i AS day, TIME '12:30:00.5' AS noon,
  TIMESTAMP '2024-01-01 00:00:00.123456' + to_seconds(i) AS ts, TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS ns,
  TIMESTAMPTZ '2024-01-01 05:00:00+05' AS tz, INTERVAL '3 days 2 hours' AS span, ('\\x' || printf('%02X', 200 + i) || 'z')::BLOB AS bytes,
  uuid_v AS id, CASE WHEN i > 3 THEN i END AS maybe, [i, NULL, 2]::INTEGER[] AS items, [1.5, CASE WHEN i = 2 THEN 'inf'::DOUBLE END]::DOUBLE[] AS dbls,
  ['1234567890123456789.0123456789']::DECIMAL(38, 10)[] AS wides, {a: i, "b c": {d: 'x' || i}} AS deep, MAP {'k' || i: i} AS pairs,
  '{"x":[1,2.5]}'::JSON AS js, '101'::BIT AS bits`;
const TYPES = `
  tiny TINYINT, big BIGINT, huge HUGEINT, ubig UBIGINT, dbl DOUBLE, odd DOUBLE, flt FLOAT, dec DECIMAL(4, 2), wide DECIMAL(38, 10), flag BOOLEAN,
  text VARCHAR, day DATE, noon TIME, ts TIMESTAMP, ns TIMESTAMP_NS, tz TIMESTAMPTZ, span INTERVAL, bytes BLOB, id UUID, maybe INTEGER,
  items INTEGER[], dbls DOUBLE[], wides DECIMAL(38, 10)[], deep STRUCT(a INTEGER, "b c" STRUCT(d VARCHAR)), pairs MAP(VARCHAR, INTEGER), js JSON, bits BIT`;

describe.skipIf(skipKafka !== undefined)(kafkaTitle('what a Kafka sink writes, our own sources read back'), () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker.stop());

  const to = (topic: string, options: string): string =>
    `(connector = 'kafka', brokers = '${broker.address}', topic = '${topic}', transactional_id_prefix = '${topic}'${options})`;

  /** Runs a file to its end, and what `select` says then. */
  async function run(script: string, select: string, maxBatchRows = 250_000): Promise<readonly unknown[]> {
    const engine = await open({ maxBatchRows, batchIntervalMs: 0 });
    try {
      await engine.sql(script);
      await engine.run();
      return (await engine.query(select)).rows;
    } finally {
      await engine.close();
    }
  }

  const from = (topic: string, columns: string, format: string, select: string): Promise<readonly unknown[]> =>
    run(
      `CREATE SOURCE s (${columns}) WITH (connector = 'kafka', brokers = '${broker.address}', topic = '${topic}',
         format = '${format}', bounded = true, strict = true);
       CREATE MATERIALIZED VIEW back AS SELECT * FROM s;`,
      select,
    );

  it.each([
    ['json', '', ''],
    ['upsert', ", key = 'tiny, wide'", ', PRIMARY KEY (tiny, wide)'],
    ['debezium', '', ''],
    ['debezium', ", key = 'tiny'", ', PRIMARY KEY (tiny)'],
  ])('every type: %s%s', async (format, options, key) => {
    const topic = `types-${format}-${key.length}`;
    await createTopic(broker, topic, 2);
    const typed = TYPED.replaceAll(/\bi\b/g, 'n').replace(
      'uuid_v',
      "('00000000-0000-4000-8000-00000000000' || n)::UUID",
    );
    const given = await run(
      `CREATE SOURCE g (i AS n, dummy AS 1) WITH (connector = 'generator', rows = 8);
       CREATE MATERIALIZED VIEW v AS SELECT ${typed} FROM (SELECT i::INTEGER AS n FROM g);
       CREATE SINK out WITH ${to(topic, `, format = '${format}'${options}`)} AS SELECT * FROM v;`,
      'SELECT * FROM v ORDER BY tiny',
      3,
    );
    expect(given.length).toBe(8);
    expect(await from(topic, TYPES + key, format, 'SELECT * FROM back ORDER BY tiny')).toEqual(given);
  });

  const COUNTS = `
    CREATE SOURCE g (k AS (n * 7919) % 13, v AS n % 100) WITH (connector = 'generator', rows = 3000);
    CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS c, sum(v)::BIGINT AS s FROM g GROUP BY k HAVING count(*) % 5 <> 2;`;

  it.each([
    ['upsert', ", key = 'k'", 'k BIGINT PRIMARY KEY, c BIGINT, s BIGINT'],
    ['debezium', ", key = 'k'", 'k BIGINT PRIMARY KEY, c BIGINT, s BIGINT'],
    ['debezium', ", key = 'k'", 'k BIGINT, c BIGINT, s BIGINT'],
    ['debezium', '', 'k BIGINT, c BIGINT, s BIGINT'],
  ])('results that change: %s%s as (%s)', async (format, options, columns) => {
    const topic = `changes-${format}-${options.length}-${columns.length}`;
    await createTopic(broker, topic, 3);
    const given = await run(
      `${COUNTS} CREATE SINK out WITH ${to(topic, `, format = '${format}'${options}`)} AS SELECT * FROM v;`,
      'SELECT * FROM v ORDER BY ALL',
      37,
    );
    expect(given.length).toBeGreaterThan(3);
    expect(await from(topic, columns, format, 'SELECT * FROM back ORDER BY ALL')).toEqual(given);
    expect((await committed(broker, topic)).length).toBeGreaterThan(100);
  });

  it('INSERT INTO a table with a PRIMARY KEY, as Flink has it', async () => {
    await createTopic(broker, 'flink', 2);
    const given = await run(
      `${COUNTS}
       CREATE TABLE out (k BIGINT, c BIGINT, s BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH (connector = 'upsert-kafka',
         brokers = '${broker.address}', topic = 'flink', transactional_id_prefix = 'flink', 'key.format' = 'json', 'value.format' = 'json');
       INSERT INTO out SELECT * FROM v;`,
      'SELECT * FROM v ORDER BY ALL',
      37,
    );
    const columns = 'k BIGINT PRIMARY KEY, c BIGINT, s BIGINT';
    expect(await from('flink', columns, 'upsert', 'SELECT * FROM back ORDER BY ALL')).toEqual(given);
  });

  it('a declared sink with a PRIMARY KEY, its topic made by the broker', async () => {
    await run(
      `CREATE SOURCE g (i AS n) WITH (connector = 'generator', rows = 3);
       CREATE SINK out (id INTEGER PRIMARY KEY) WITH ${to('declared', '')} AS SELECT i FROM g;`,
      'SELECT 1',
    );
    const seen = (await committed(broker, 'declared')).map(({ key, value }) => [key, value]);
    expect(new Map(seen as [string, string][])).toEqual(
      new Map([0, 1, 2].map((id) => [`{"id":${id}}`, `{"id":${id}}`])),
    );
  });

  it('results that change want a format that takes them', async () => {
    const engine = await open();
    await expect(
      engine.sql(`${COUNTS} CREATE SINK out WITH ${to('never', '')} AS SELECT * FROM v;`),
    ).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining("set format = 'upsert' or 'debezium', or changelog = true") as string,
    });
    await expect(
      engine.sql(`CREATE SOURCE g (i AS n) WITH (connector = 'generator', rows = 3);
        CREATE SINK out (id INTEGER PRIMARY KEY) WITH (connector = 'print') AS SELECT i FROM g;`),
    ).rejects.toMatchObject({ code: 'UNSUPPORTED', message: 'PRIMARY KEY means nothing to a print sink' });
    await engine.close();
  });
});
