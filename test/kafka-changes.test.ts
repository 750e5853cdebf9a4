import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { open } from '../src/engine.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, withProducer, type TestBroker } from './support/kafka.ts';

interface Message {
  readonly key: string | null;
  readonly value: string | null;
  readonly partition?: number;
}

describe.skipIf(skipKafka !== undefined)(kafkaTitle('changes from Kafka'), () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker.stop());

  /** Produces batch by batch, runs the source to its end and answers with the view's rows and the dead letters. */
  async function run(
    topic: string,
    columns: string,
    format: string,
    batches: readonly (readonly Message[])[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly dead: readonly unknown[] }> {
    await createTopic(broker, topic, 2);
    for (const messages of batches)
      await withProducer(broker, (producer) =>
        producer.send({
          topic, acks: -1,
          messages: messages.map(({ key, value, partition = 0 }) => ({ key: key === null ? null : Buffer.from(key), value, partition })),
        }),
      ); // prettier-ignore
    const engine = await open();
    try {
      await engine.sql(`
        CREATE SOURCE s (${columns}) WITH (connector = 'kafka', brokers = '${broker.address}', topic = '${topic}',
          format = '${format}', bounded = true);
        CREATE MATERIALIZED VIEW v AS SELECT * FROM s;`);
      await engine.run();
      const rows = await engine.query('SELECT * FROM v ORDER BY ALL');
      const dead = await engine.query(
        'SELECT partition, "offset"::INTEGER, payload, reason FROM _streamsql.dead_letters ORDER BY ALL',
      );
      return { rows: rows.rows, dead: dead.rows };
    } finally {
      await engine.close();
    }
  }

  it('upserts by the PRIMARY KEY; a tombstone ends its key', async () => {
    const { rows, dead } = await run('users', 'id INTEGER PRIMARY KEY, name VARCHAR', 'upsert', [
      [
        { key: '{"id":1}', value: '{"id":1,"name":"a"}' },
        { key: '{"id":2}', value: '{"id":2,"name":"b"}' },
        { key: '3', value: '{"name":"the key is all that says which"}' },
        { key: '{"id":4}', value: '{"id":4,"name":"d"}', partition: 1 },
        { key: null, value: '{"id":5,"name":"no key"}' },
      ],
      [
        { key: '{"id":1}', value: '{"id":1,\n "name":"A"}' },
        { key: '{"schema":{"type":"struct"},"payload":{"id":2}}', value: null },
        { key: '4', value: null, partition: 1 },
        { key: '77', value: null },
        { key: 'x', value: null },
      ],
    ]);
    expect(rows).toEqual([
      [1, 'A'],
      [3, 'the key is all that says which'],
      [5, 'no key'],
    ]);
    expect(dead).toEqual([['users-0', 7, '{"$key":{"id":"x"},"$deleted":true}', "column $key.id: 'x' is no INTEGER"]]);
  });

  it('upserts by the key of the record where no PRIMARY KEY is declared', async () => {
    const { rows, dead } = await run('settings', 'v INTEGER', 'upsert-json', [
      [
        { key: 'a', value: '{"v":1}' },
        { key: 'b', value: '{"v":1}' },
        { key: '{"k":"a"}', value: '{"v":2}', partition: 1 },
      ],
      [
        { key: 'a', value: null },
        { key: 'b', value: '{"v":3}' },
        { key: null, value: '{"v":4}' },
        { key: 'b', value: 'text' },
      ],
    ]);
    expect(rows).toEqual([[2], [3]]);
    expect(dead).toEqual([
      ['settings-0', 4, '{"$key":null,"v":4}', 'the record has no key'],
      ['settings-0', 5, 'text', expect.stringContaining('malformed JSON')],
    ]);
  });

  it.each([
    { topic: 'whole', columns: 'id BIGINT, name VARCHAR', before: '{"id":2,"name":"b"}' },
    { topic: 'keyed', columns: 'id BIGINT PRIMARY KEY, name VARCHAR', before: '{"id":2,"name":null}' },
    { topic: 'bare', columns: 'id BIGINT PRIMARY KEY, name VARCHAR', before: 'null' },
  ])('follows Debezium, its tombstones passed over: $topic', async ({ topic, columns, before }) => {
    const envelope = (payload: string): string => `{"schema":{"type":"struct","optional":false},"payload":${payload}}`;
    const key = (id: number): string => envelope(`{"id":${id}}`);
    const { rows, dead } = await run(topic, columns, 'debezium', [
      [
        { key: key(1), value: envelope('{"before":null,"after":{"id":1,"name":"a"},"op":"r","ts_ms":1}') },
        { key: key(2), value: '{"before":null,"after":{"id":2,"name":"b"},"op":"c"}' },
        { key: key(3), value: '{"before":null,"after":{"id":3,"name":"c"},"op":"c"}', partition: 1 },
      ],
      [
        { key: key(1), value: '{"before":{"id":1,"name":"a"},"after":{"id":1,"name":"A"},"op":"u"}' },
        { key: key(2), value: envelope(`{"before":${before},"after":null,"op":"d"}`) },
        { key: key(2), value: null },
        { key: key(9), value: '{"before":null,"after":null,"op":"t"}' },
      ],
    ]);
    expect(rows).toEqual([
      ['1', 'A'],
      ['3', 'c'],
    ]);
    expect(dead).toEqual([
      [`${topic}-0`, 5, expect.any(String), 'op t: a truncate names no rows, and is not supported'],
    ]);
  });
});
