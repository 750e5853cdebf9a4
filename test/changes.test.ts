import { afterEach, describe, expect, it } from 'vitest';
import { ChangelogBench } from './support/changelog-bench.ts';

let bench: ChangelogBench | undefined;
afterEach(() => {
  bench?.close();
  bench = undefined;
});

async function open(columns: string, options: string): Promise<ChangelogBench> {
  bench = await ChangelogBench.open(`CREATE SOURCE s (${columns}) WITH (${options});`);
  return bench;
}

const KAFKA = "connector = 'kafka', brokers = 'localhost:9092', topic = 't'";
const FILE = "connector = 'file', path = 'x.jsonl'";
const at = (lines: readonly string[], partition = 0): { partition: number; line: string }[] =>
  lines.map((line) => ({ partition, line }));
const reasons = (of: ChangelogBench): string[] => of.dead.map(({ offset, reason }) => `${offset}: ${reason}`);

describe('upsert', () => {
  it('keeps the last row of each key', async () => {
    const s = await open('id BIGINT PRIMARY KEY, name VARCHAR', `${FILE}, format = 'upsert'`);
    await s.epoch(at(['{"id":1,"name":"a"}', '{"id":2,"name":"b"}', '{"id":1,"name":"c"}']));
    expect(await s.rows()).toEqual(['{"id":1,"name":"c"}', '{"id":2,"name":"b"}']);
    await s.epoch(at(['{"id":1,"name":"d"}', '{"id":2,"__deleted":true}', '{"id":9,"__deleted":"true"}']));
    expect(await s.rows()).toEqual(['{"id":1,"name":"d"}']);
    expect(s.changed).toEqual([2, 3]);
    await s.epoch(at(['{"id":1,"name":"x"}', '{"id":1,"name":"d","__deleted":"false"}']));
    expect(s.changed[2]).toBe(0);
    await s.epoch(at(['{"id":7,"name":"x"}', '{"id":7,"__deleted":true}', '{"id":1,"__deleted":true}', '{"id":1}']));
    expect(await s.rows()).toEqual(['{"id":1,"name":null}']);
    expect(s.dead).toEqual([]);
  });

  it('judges each record by itself', async () => {
    const columns =
      'id BIGINT, v DECIMAL(20, 2), ts TIMESTAMP, y AS CAST(v % 1000 AS TINYINT), PRIMARY KEY (id) NOT ENFORCED, WATERMARK FOR ts AS ts';
    const s = await open(columns, `${FILE}, format = 'upsert-json'`);
    await s.epoch(
      at([
        '{"id":1,"v":12345678901234012.89,"ts":"2024-01-01"}',
        '{"id":"x","v":1,"ts":"2024-01-01"}',
        '{"v":1,"ts":"2024-01-01"}',
        '{"id":2,"v":2}',
        '{"id":3,"v":2,"ts":"infinity"}',
        '{"id":3',
        '5',
        'null',
        '{}',
        '{"id":4,"v":4,"ts":"2024-01-02T00:00:00+01:00"}',
        '{"id":8,"__deleted":true}',
        '{"id":8,"__deleted":"maybe","v":1,"ts":"2024-01-01"}',
        '{"id":8,"v":200,"ts":"2024-01-01"}',
      ]),
    );
    expect(reasons(s)).toMatchInlineSnapshot(`
      [
        "1: column id: 'x' is no BIGINT",
        "2: the key id is NULL",
        "3: the event time ts is NULL or infinite",
        "4: the event time ts is NULL or infinite",
        "5: malformed JSON: Expected ',' or '}' after property value in JSON at position 7 (line 1 column 8)",
        "6: not a JSON object",
        "7: not a JSON object",
        "8: the key id is NULL",
        "11: column __deleted: 'maybe' is no BOOLEAN",
        "12: computed column y fails: CAST(v % 1000 AS TINYINT)",
      ]
    `);
    expect(await s.rows()).toMatchInlineSnapshot(`
      [
        "{"id":1,"v":12345678901234012.89,"ts":"2024-01-01 00:00:00","y":13}",
        "{"id":4,"v":4.00,"ts":"2024-01-01 23:00:00","y":4}",
      ]
    `);
    expect(s.watermark).toBe(BigInt(Date.UTC(2024, 0, 1, 23)) * 1000n);
  });

  it('is keyed by the record where there is no PRIMARY KEY', async () => {
    const s = await open('name VARCHAR', `${KAFKA}, format = 'upsert'`);
    await s.epoch(
      at([
        '{"$key":"1","name":"a"}',
        '{"$key":{"id":1},"name":"b"}',
        '{"$key":null,"name":"c"}',
        '{"$key":"2","name":"a"}',
      ]),
    );
    expect(await s.rows()).toEqual(['{"name":"a"}', '{"name":"a"}', '{"name":"b"}']);
    await s.epoch(at(['{"$key":"1","$deleted":true}', '{"$key":{"id":1},"name":"z"}']));
    expect(await s.rows()).toEqual(['{"name":"a"}', '{"name":"z"}']);
    expect(reasons(s)).toEqual(['2: the record has no key']);
  });

  it('takes the columns of the key from the key where the value leaves them out', async () => {
    const s = await open('a BIGINT, v VARCHAR, b DATE, w AS a + 1, PRIMARY KEY (b, a)', `${KAFKA}, format = 'upsert'`);
    await s.epoch(
      at([
        '{"$key":{"a":1,"b":"2024-01-01"},"v":"x"}',
        '{"$key":{"a":2,"b":"2024-01-01"},"v":"y","a":2,"b":"2024-01-01"}',
        '{"$key":{"a":3},"v":"z"}',
        '{"$key":{"a":"many","b":"2024-01-01"},"v":"z"}',
      ]),
    );
    expect(await s.rows()).toEqual([
      '{"a":1,"v":"x","b":"2024-01-01","w":2}',
      '{"a":2,"v":"y","b":"2024-01-01","w":3}',
    ]);
    await s.epoch(at(['{"$key":{"a":2,"b":"2024-01-01"},"$deleted":true}', '{"$key":null,"$deleted":true}']));
    expect(await s.rows()).toEqual(['{"a":1,"v":"x","b":"2024-01-01","w":2}']);
    expect(reasons(s)).toEqual([
      '2: the key b is NULL',
      "3: column $key.a: 'many' is no BIGINT",
      '5: the key b is NULL',
    ]);
  });

  it('tells apart what DuckDB takes for equal', async () => {
    const s = await open('id INT PRIMARY KEY, d DOUBLE, i INTERVAL', `${FILE}, format = 'upsert'`);
    await s.epoch(at(['{"id":1,"d":0.0,"i":"30 days"}']));
    await s.epoch(at(['{"id":1,"d":"-0.0","i":"30 days"}']));
    await s.epoch(at(['{"id":1,"d":"-0.0","i":"1 month"}']));
    await s.epoch(at(['{"id":1,"d":"-0.0","i":"1 month"}']));
    expect(s.changed).toEqual([1, 2, 2, 0]);
  });
});

describe('debezium', () => {
  const row = (id: number, name: string): string => JSON.stringify({ id, name });
  const event = (op: string, before: string, after: string): string =>
    `{"before":${before},"after":${after},"op":"${op}"}`;
  const wrapped = (line: string): string => `{"schema":{"type":"struct"},"payload":${line}}`;

  it('adds what comes and takes away what goes, with or without an envelope', async () => {
    const s = await open('id BIGINT, name VARCHAR', `${FILE}, format = 'debezium'`);
    await s.epoch(
      at([event('c', 'null', row(1, 'a')), wrapped(event('r', 'null', row(1, 'a'))), event('c', 'null', row(2, 'b'))]),
    );
    expect(await s.rows()).toEqual([row(1, 'a'), row(1, 'a'), row(2, 'b')]);
    await s.epoch(at([wrapped(event('u', row(1, 'a'), row(1, 'z'))), event('d', row(2, 'b'), 'null')]));
    expect(await s.rows()).toEqual([row(1, 'a'), row(1, 'z')]);
    expect(s.dead).toEqual([]);
  });

  it('finds rows by the PRIMARY KEY where before says less', async () => {
    const s = await open(
      'id BIGINT PRIMARY KEY, name VARCHAR, n AS length(name)',
      `${KAFKA}, format = 'debezium-json'`,
    );
    await s.epoch(
      at([event('r', 'null', row(1, 'a')), event('c', 'null', row(2, 'b')), event('c', 'null', row(2, 'b'))]),
    );
    await s.epoch(
      at([
        event('u', 'null', row(1, 'aa')),
        event('d', '{"id":2,"name":null}', 'null'),
        '{"$key":{"id":2},"$deleted":true}',
        event('u', '{"id":5}', row(6, 'moved')),
        event('d', '{"id":77}', 'null'),
      ]),
    );
    expect(await s.rows()).toEqual(['{"id":1,"name":"aa","n":2}', '{"id":6,"name":"moved","n":5}']);
    await s.epoch(
      at([
        '{"$key":{"id":1},"op":"d","before":null,"after":null}',
        event('u', '{"id":6}', row(7, 'again')),
        event('d', 'null', 'null'),
        event('d', '{}', 'null'),
      ]),
    );
    expect(await s.rows()).toEqual(['{"id":7,"name":"again","n":5}']);
    expect(reasons(s)).toEqual(['10: op d without the key id', '11: op d without the key id']);
  });

  it('judges each record by itself', async () => {
    const columns = 'id BIGINT, ms BIGINT, ts AS epoch_ms(ms), WATERMARK FOR ts AS ts';
    const s = await open(columns, `${KAFKA}, format = 'debezium'`);
    await s.epoch(
      at([
        event('c', 'null', '{"id":1,"ms":1000}'),
        event('u', 'null', '{"id":1,"ms":1000}'),
        event('d', 'null', 'null'),
        event('c', 'null', 'null'),
        event('t', 'null', 'null'),
        event('x', 'null', 'null'),
        event('c', 'null', '{"id":"one","ms":1000}'),
        wrapped(event('c', 'null', '{"id":1,"ms":"soon"}')),
        event('c', 'null', '{"id":1}'),
        event('c', 'null', '7'),
        wrapped('5'),
        '{"before":null}',
        '{"$deleted":true}',
        event('d', '{"id":1,"ms":1000}', 'null'),
        event('c', 'null', '{"id":1,"id":2,"ms":1000}'),
        wrapped(event('c', 'null', '{"id":9,"ms":9000}')),
      ]),
    );
    expect(reasons(s)).toMatchInlineSnapshot(`
      [
        "1: op u without before: send whole rows (REPLICA IDENTITY FULL), or declare a PRIMARY KEY",
        "2: op d without before: send whole rows (REPLICA IDENTITY FULL), or declare a PRIMARY KEY",
        "3: op c without after",
        "4: op t: a truncate names no rows, and is not supported",
        "5: op x is none of c, r, u, d",
        "6: column after.id: 'one' is no BIGINT",
        "7: column after.ms: 'soon' is no BIGINT",
        "8: the event time ts is NULL or infinite",
        "9: column after: 7 is no STRUCT("id" BIGINT, "ms" BIGINT)",
        "10: column payload: 5 is no STRUCT("before" STRUCT("id" BIGINT, "ms" BIGINT), "after" STRUCT("id" BIGINT, "ms" BIGINT), "op" VARCHAR)",
        "11: op is missing",
        "14: the key after.id occurs 2 times",
      ]
    `);
    expect(await s.rows()).toMatchInlineSnapshot(`
      [
        "{"id":9,"ms":9000,"ts":"1970-01-01 00:00:09"}",
      ]
    `);
    expect(s.watermark).toBe(9_000_000n);
  });
});
