import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenOptions, RunEvent, RunOptions } from '../src/base/run.ts';
import { open } from '../src/engine.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, withAdmin, withProducer, type TestBroker } from './support/kafka.ts'; // prettier-ignore

const PARTITIONS = 3;
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
/** Until the records from `from` up to `to` are read that are JSON. */
const good = (from: number, to: number): RunOptions => ({ stopAfter: { rows: numbers(from, to).filter((n) => n % 50 !== 3).length } }); // prettier-ignore

describe.skipIf(skipKafka !== undefined)(kafkaTitle('records that Kafka has no more'), () => {
  let broker: TestBroker;
  let folder: string;
  beforeAll(async () => {
    broker = await startBroker();
    folder = mkdtempSync(join(tmpdir(), 'kafka-retain-'));
  });
  afterAll(async () => {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const source = (topic: string, more = ''): string => `CREATE SOURCE e (n INT, k VARCHAR, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL 1 SECOND)
    WITH (connector = 'kafka', brokers = '${broker.address}', topic = '${topic}'${more});`; // prettier-ignore
  const LIVE = 'CREATE MATERIALIZED VIEW live AS SELECT count(*) AS n FROM e;';
  const ADDED = `CREATE MATERIALIZED VIEW byKey AS SELECT k, count(*) AS n, sum(n) AS s, list(n) AS l FROM e GROUP BY k;
    CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS n, sum(n) AS s FROM TUMBLE(e, ts, INTERVAL 10 SECONDS)
      GROUP BY window_start EMIT ON WINDOW CLOSE;`;

  /** n goes to partition n % 3, in transactions, so that offsets have gaps; every 50th is no JSON. */
  async function produce(topic: string, from: number, to: number): Promise<void> {
    const message = (i: number): { partition: number; value: string } => {
      const ts = new Date(1_700_000_000_000 + i * 100 - (i % 5) * 300).toISOString().slice(0, -1);
      const value = i % 50 === 3 ? 'not\njson' : JSON.stringify({ n: i, k: `k${i % 7}`, ts });
      return { partition: i % PARTITIONS, value };
    };
    await withProducer(
      broker,
      async (producer) => {
        for (let n = from; n < to; n += 40) {
          const transaction = await producer.transaction();
          await transaction.send({ topic, messages: numbers(n, Math.min(n + 40, to)).map(message), acks: -1 });
          await transaction.commit();
        }
      },
      { transactionalId: `${topic}-${from}`, idempotent: true, maxInFlightRequests: 1 },
    );
  }

  interface Ran {
    readonly rows: readonly unknown[];
    readonly warnings: readonly string[];
  }

  async function ran(sql: string, run: RunOptions, name: string, options: OpenOptions = {}): Promise<Ran> {
    const events: RunEvent[] = [];
    const paths = { db: join(folder, `${name}.duckdb`), state: join(folder, `${name}.state`) };
    // With one thread the partitions share files.
    const engine = await open({ ...paths, maxBatchRows: 100, batchIntervalMs: 0, threads: 1, ...options });
    try {
      await engine.sql(sql);
      await engine.run({ ...run, onEvent: (event) => events.push(event) });
      const rows: unknown[] = [];
      for (const view of sql.includes('byKey') ? ['live', 'byKey', 'closed'] : ['live'])
        rows.push((await engine.query(`FROM ${view} ORDER BY ALL`)).rows);
      return { rows, warnings: events.flatMap((event) => (event.event === 'warning' ? event.message : [])) };
    } finally {
      await engine.close();
    }
  }

  async function forget(topic: string, offset: number): Promise<void> {
    await withAdmin(broker, async (admin) => {
      await admin.fetchTopicOffsets(topic); // kafkajs deletes only where it knows the leaders
      const partitions = numbers(0, PARTITIONS).map((partition) => ({ partition, offset: String(offset) }));
      await admin.deleteTopicRecords({ topic, partitions });
    });
  }

  it.each([
    ['all that was read', 333],
    ['a part of it', 150],
  ])('a view that is added starts from what is retained where the topic forgot %s', async (_, offset) => {
    const topic = `forgets-${offset}`;
    const retaining = source(topic, ", retain = '1 day'");
    await createTopic(broker, topic, PARTITIONS);
    await produce(topic, 0, 1000);
    await ran(retaining + LIVE, good(0, 1000), topic);
    await produce(topic, 1000, 1300);
    const whole = await ran(source(topic) + LIVE + ADDED, good(0, 1300), `whole-${offset}`);
    await forget(topic, offset);
    const { rows, warnings } = await ran(retaining + LIVE + ADDED, good(1000, 1300), topic);
    expect(rows).toEqual(whole.rows);
    expect(warnings).toEqual([]);
    const other = 'CREATE MATERIALIZED VIEW other AS SELECT max(n) FROM e;';
    await expect(ran(source(topic) + LIVE + ADDED + other, {}, `whole-${offset}`)).rejects.toMatchObject({ code: 'GAP' }); // prettier-ignore
  });

  it('and from what the topic has where that is more', async () => {
    await createTopic(broker, 'more', PARTITIONS);
    await produce('more', 0, 900);
    const retaining = source('more', ", retain = '1 ms'");
    await ran(retaining + LIVE, good(0, 900), 'more', { checkpointIntervalMs: 1 });
    await produce('more', 900, 920);
    await ran(retaining + LIVE, good(900, 920), 'more');
    const whole = await ran(source('more') + LIVE + ADDED, good(0, 920), 'more-whole');
    await produce('more', 920, 921);
    const { rows, warnings } = await ran(retaining + LIVE + ADDED, { stopAfter: { epochs: 1 } }, 'more');
    expect(rows.slice(1)).toEqual(whole.rows.slice(1));
    expect(warnings).toEqual([]);
    await forget('more', 100);
    await produce('more', 921, 922);
    const more = `CREATE MATERIALIZED VIEW another AS SELECT count(*) AS n FROM e;`;
    const later = await ran(retaining + LIVE + ADDED + more, { stopAfter: { epochs: 1 } }, 'more');
    expect(later.warnings).toEqual([
      expect.stringMatching(/^source e: the views that are added start with what is still there.*: more-0 from 100, more-1 from 100, more-2 from 100$/),
    ]); // prettier-ignore
  });

  it('come back from what is retained with the metadata that they had', async () => {
    const topic = 'metadata';
    await createTopic(broker, topic, PARTITIONS);
    const time = (i: number): number => 1_700_000_000_000 + i * 100;
    const send = (from: number, to: number): Promise<unknown> =>
      withProducer(broker, (producer) => {
        const message = (i: number): object => ({ partition: i % PARTITIONS, key: `k${i}`, value: JSON.stringify({ n: i }), timestamp: String(time(i)), headers: { h: `v${i}` } }); // prettier-ignore
        return producer.send({ topic, messages: numbers(from, to).map(message) as { value: string }[], acks: -1 });
      });
    const declared = (more = ''): string => `CREATE SOURCE e (n INT, k VARCHAR METADATA FROM 'key', ts TIMESTAMP METADATA FROM 'timestamp', p INT METADATA FROM 'partition',
        o BIGINT METADATA FROM 'offset', h MAP(VARCHAR, VARCHAR) METADATA FROM 'headers' VIRTUAL, topic VARCHAR METADATA${more}, WATERMARK FOR ts AS ts)
      WITH (connector = 'kafka', brokers = '${broker.address}', topic = '${topic}', retain = '1 day');
      CREATE MATERIALIZED VIEW live AS SELECT n, k, epoch_ms(ts)::DOUBLE AS ts, p, o::INT AS o, h['h'] AS h, topic FROM e;
      CREATE MATERIALIZED VIEW seconds AS SELECT window_start, count(*)::INT AS n FROM TUMBLE(e, ts, INTERVAL 1 SECOND) GROUP BY window_start EMIT ON WINDOW CLOSE;`; // prettier-ignore
    const rows = (to: number): unknown[] =>
      numbers(0, to).map((n) => [n, `k${n}`, time(n), n % PARTITIONS, Math.floor(n / PARTITIONS), `v${n}`, topic]); // prettier-ignore
    await send(0, 300);
    expect((await ran(declared(), { stopAfter: { rows: 300 } }, topic)).rows).toEqual([rows(300)]);
    await forget(topic, 80);
    await send(300, 330);
    const added =
      "CREATE MATERIALIZED VIEW again AS SELECT * REPLACE (epoch_ms(ts)::DOUBLE AS ts, o::INT AS o, h['h'] AS h) FROM e;";
    const engine = await open({ db: join(folder, `${topic}.duckdb`), state: join(folder, `${topic}.state`) });
    try {
      await engine.sql(declared() + added);
      await engine.run({ stopAfter: { rows: 30 } });
      expect((await engine.query('FROM live ORDER BY n')).rows).toEqual(rows(330));
      expect((await engine.query('FROM again ORDER BY n')).rows).toEqual(rows(330));
      const closed = await engine.query('SELECT max(n)::INT AS most, count(*) >= 30 AS whole FROM seconds');
      expect(closed.rows).toEqual([[10, true]]);
    } finally {
      await engine.close();
    }
    const more = declared(`, type VARCHAR METADATA FROM 'timestamp-type'`) + added;
    await expect(ran(more, {}, topic, { rebuild: ['live', 'seconds', 'again'] })).rejects.toMatchObject({
      code: 'GAP',
    });
  });
});
