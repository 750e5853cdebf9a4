import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { open, type Engine, type OpenOptions } from '../src/engine.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, withProducer, type TestBroker } from './support/kafka.ts';

const PATIENCE_MS = 30_000;
const HOUR = 3600;
const START = 1_700_000_000;

describe.skipIf(skipKafka !== undefined)(kafkaTitle('watermarks of a real topic'), () => {
  let broker: TestBroker;
  beforeAll(async () => void (broker = await startBroker()), 60_000);
  afterAll(() => broker.stop());

  /** `times`: seconds, by partition. */
  async function fill(topic: string, times: readonly (readonly number[])[]): Promise<void> {
    await createTopic(broker, topic, times.length);
    const messages = times.flatMap((list, partition) =>
      list.map((t) => ({ partition, value: JSON.stringify({ ts: new Date((START + t) * 1000).toISOString() }) })),
    );
    await withProducer(broker, (producer) => producer.send({ topic, messages, acks: -1 }));
  }

  /** Runs until the query gives a row; what it gave. */
  async function until(engine: Engine, query: string): Promise<readonly unknown[]> {
    const stop = new AbortController();
    const running = engine.run({ signal: stop.signal });
    try {
      for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(50)) {
        // The tables are there once the run has begun.
        const [row] = await engine.query(query).then(({ rows }) => rows, () => []); // prettier-ignore
        if (row !== undefined) return row;
        if (Date.now() > deadline) throw new Error(`never: ${query}`);
      }
    } finally {
      stop.abort();
      await running;
    }
  } // prettier-ignore

  async function withCounts(topic: string, window: string, work: (engine: Engine) => Promise<void>, options: OpenOptions = {}): Promise<void> {
    const engine = await open(options);
    try {
      await engine.sql(`CREATE SOURCE s (ts TIMESTAMP, WATERMARK FOR ts AS ts)
        WITH (connector = 'kafka', brokers = '${broker.address}', topic = '${topic}', idle_timeout = '1 second');
        CREATE MATERIALIZED VIEW counts AS SELECT window_start, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '${window}')
        GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;`);
      await work(engine);
    } finally {
      await engine.close();
    }
  } // prettier-ignore

  it('a replay of four partitions that are hours apart reads the one that is behind, and drops nothing', async () => {
    const times = [0, 1, 2, 3].map((p) => Array.from({ length: 600 }, (_, i) => p * 6 * HOUR + i * 30));
    await fill('skewed', times);
    await withCounts(
      'skewed',
      '1 hour',
      async (engine) => {
        await until(engine, 'SELECT sum(rows) FROM _streamsql.epochs HAVING sum(rows) = 2400');
        expect((await engine.query('SELECT count(*)::INTEGER FROM _streamsql.late')).rows).toEqual([[0]]);
        const { rows } = await engine.query(`SELECT r.partition, r."to"::INTEGER FROM
          (SELECT epoch, unnest(ranges) AS r FROM _streamsql.epochs) WHERE r.source = 's' ORDER BY epoch, 1`);
        const at = new Map<string, number>();
        for (const [partition, position] of rows as readonly [string, number][]) {
          at.set(partition, position);
          const [, number] = partition.split('-');
          // A look at each, and what is under way: then a partition waits until the one before it is nearly over.
          if (Number(number) > 0 && position > 250)
            expect(at.get(`skewed-${Number(number) - 1}`) ?? 0, partition).toBeGreaterThan(350);
        }
      },
      { maxBatchRows: 200 },
    );
  }, 60_000); // prettier-ignore

  it('an idle partition holds nothing back, and when all is quiet the last window closes', async () => {
    // Partition 1 is behind for good, partition 2 is empty.
    await fill('idle', [[0, 1, 2, 3, 4, 5], [1], []]);
    await withCounts('idle', '2 seconds', async (engine) => {
      const closed = "SELECT list([epoch(window_start)::BIGINT - 1700000000, n]::INTEGER[] ORDER BY window_start) FROM counts HAVING count(*) = 3"; // prettier-ignore
      expect(await until(engine, closed)).toEqual([[[0, 3], [2, 2], [4, 2]]]); // prettier-ignore
    });
  }, 60_000); // prettier-ignore

  it('what a transaction that is open has brought is no quiet', async () => {
    await fill('open', [[0, 5]]);
    const row = { partition: 0, value: JSON.stringify({ ts: new Date((START + 5.5) * 1000).toISOString() }) };
    const config = { transactionalId: 'open', idempotent: true, maxInFlightRequests: 1 };
    await withProducer(
      broker,
      async (producer) => {
        const transaction = await producer.transaction();
        await transaction.send({ topic: 'open', messages: [row], acks: -1 });
        await withCounts('open', '2 seconds', async (engine) => {
          const answer = until(engine, 'SELECT n::INTEGER FROM counts WHERE epoch(window_start)::BIGINT = 1700000004');
          // Twice as long as it takes to be idle.
          await sleep(2500);
          await transaction.commit();
          expect(await answer).toEqual([2]);
        });
      },
      config,
    );
  }, 60_000); // prettier-ignore
});
