import { setTimeout as sleep } from 'node:timers/promises';
import { CompressionTypes } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planKafka, reading } from './support/kafka-reading.ts';
import {
  addPartitions,
  createTopic,
  kafkaTitle,
  skipKafka,
  startBroker,
  withAdmin,
  withProducer,
  type TestBroker,
} from './support/kafka.ts';

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const line = (n: number): string => JSON.stringify({ n, text: `number ${n}` });

describe.skipIf(skipKafka !== undefined)(kafkaTitle('the kafka source'), () => {
  let broker: TestBroker;
  let brokers: string;
  beforeAll(async () => {
    broker = await startBroker();
    brokers = broker.address;
  });
  afterAll(() => broker.stop());

  async function produce(
    topic: string,
    list: readonly number[],
    partition = 0,
    compression = CompressionTypes.None,
  ): Promise<void> {
    const messages = list.map((n) => ({ partition, key: `k${n}`, value: line(n), headers: { h: `v${n}` } }));
    await withProducer(broker, (producer) => producer.send({ topic, messages, compression, acks: -1 }));
  }

  it('reads every partition to its end, keys and headers aside', async () => {
    await createTopic(broker, 'several', 3);
    for (const partition of [0, 1]) {
      await produce('several', numbers(partition * 1000, partition * 1000 + 700), partition);
      await produce('several', numbers(partition * 1000 + 700, (partition + 1) * 1000), partition);
    }
    await reading({ brokers, topic: 'several', bounded: 'true' }, async (read) => {
      expect(read.reader.partitions.map((each) => [each.name, each.end, each.done])).toEqual([
        ['several-0', 1000, false],
        ['several-1', 1000, false],
        ['several-2', 0, true],
      ]);
      await read.drain(333);
      for (const partition of [0, 1]) {
        expect(read.lines(partition)).toEqual(numbers(partition * 1000, (partition + 1) * 1000).map(line));
        expect(read.offsets(partition)).toEqual(numbers(0, 1000));
      }
      expect(read.chunks).toBeGreaterThan(5);
      expect(read.lines(2)).toEqual([]);
      expect(read.rejected).toEqual([]);
    });
  });

  it('takes no more than it is asked for', async () => {
    await createTopic(broker, 'few', 2);
    await produce('few', numbers(0, 50), 0);
    await produce('few', numbers(50, 60), 1);
    await reading({ brokers, topic: 'few', bounded: 'true' }, async (read) => {
      while (!read.reader.partitions.every((each) => each.done)) expect(await read.poll(7)).toBeLessThanOrEqual(7);
      expect(read.lines(0)).toEqual(numbers(0, 50).map(line));
      expect(read.lines(1)).toEqual(numbers(50, 60).map(line));
    });
  });

  it('gives only the partitions that are allowed, and the others later', async () => {
    await createTopic(broker, 'allowed', 2);
    for (const partition of [0, 1]) await produce('allowed', numbers(0, 100), partition);
    await reading({ brokers, topic: 'allowed', bounded: 'true' }, async (read) => {
      while (read.reader.partitions[1]?.done === false) await read.poll(30, 500, new Set([1]));
      expect(read.lines(0)).toEqual([]);
      expect(await read.poll(30, 50, new Set([1]))).toBe(0);
      await read.drain();
      expect(read.lines(0)).toEqual(read.lines(1));
    });
  });

  it('reads gzip', async () => {
    await createTopic(broker, 'zipped');
    await produce('zipped', numbers(0, 500), 0, CompressionTypes.GZIP);
    await produce('zipped', numbers(500, 600));
    await produce('zipped', numbers(600, 900), 0, CompressionTypes.GZIP);
    await reading({ brokers, topic: 'zipped', bounded: 'true' }, async (read) => {
      await read.drain(250);
      expect(read.lines()).toEqual(numbers(0, 900).map(line));
      expect(read.offsets()).toEqual(numbers(0, 900));
    });
  });

  it('cuts a single partition for as many threads as there are', async () => {
    await createTopic(broker, 'single');
    for (let n = 0; n < 60_000; n += 10_000) await produce('single', numbers(n, n + 10_000));
    const options = { brokers, topic: 'single', bounded: 'true' };
    await reading(
      options,
      async (read) => {
        await sleep(1000); // so that all of it is there at the first poll
        expect(await read.poll(60_000)).toBe(60_000);
        expect(read.chunks).toBe(3);
        expect(read.offsets()).toEqual(numbers(0, 60_000));
      },
      undefined,
      3,
    );
  });

  it('hands on what is no record with its reason', async () => {
    await createTopic(broker, 'odd');
    const list = [null, '', '{\n"n": 1\n}\n', '{"n": "x\ny"}', '{"n":2}'];
    await withProducer(broker, (producer) =>
      producer.send({ topic: 'odd', messages: list.map((value) => ({ value })) }),
    );
    await reading({ brokers, topic: 'odd', bounded: 'true' }, async (read) => {
      await read.drain();
      expect(read.lines().map((text) => JSON.parse(text) as unknown)).toEqual([{ n: 1 }, { n: 2 }]);
      expect(read.offsets()).toEqual([2, 4]);
      expect(read.rejected.map(({ offset, payload }) => [offset, payload])).toEqual([
        [0, null],
        [1, ''],
        [3, '{"n": "x\ny"}'],
      ]);
      expect(read.rejected.map(({ reason }) => reason)).toEqual([
        'null value',
        'empty value',
        expect.stringContaining('malformed JSON'),
      ]);
    });
  });

  it('reads text topics with format raw', async () => {
    await createTopic(broker, 'text');
    const list = ['to be or "not"', '', 'to\tbe\nthat \\ is', 'größer'];
    await withProducer(broker, (producer) =>
      producer.send({ topic: 'text', messages: list.map((value) => ({ value })) }),
    );
    const options = { brokers, topic: 'text', bounded: 'true', format: 'raw' };
    const columns = [{ name: 'line', type: 'VARCHAR' }];
    await reading(
      options,
      async (read) => {
        await read.drain();
        expect(read.lines().map((text) => JSON.parse(text) as unknown)).toEqual(list.map((text) => ({ line: text })));
      },
      columns,
    );
  });

  it('reads a record larger than a fetch', async () => {
    await createTopic(broker, 'large', 1, { 'max.message.bytes': '20000000' });
    const text = 'x'.repeat(900_000);
    const values = [1, 2, 3, 4].map((n) => JSON.stringify({ n, text }));
    for (const value of ['{"n":0}', ...values]) {
      await withProducer(broker, (producer) => producer.send({ topic: 'large', messages: [{ value }] }));
    }
    await reading({ brokers, topic: 'large', bounded: 'true', fetch_max_bytes: '10 kB' }, async (read) => {
      await read.drain();
      expect(read.lines()).toEqual(['{"n":0}', ...values]);
    });
  });

  it('reads committed transactions only, and past the aborted ones', async () => {
    await createTopic(broker, 'transactions');
    const config = { transactionalId: 'tx', idempotent: true, maxInFlightRequests: 1 };
    await withProducer(
      broker,
      async (producer) => {
        for (const [first, end] of [
          [0, 'commit'],
          [100, 'abort'],
          [200, 'commit'],
          [300, 'abort'],
          [400, 'abort'],
        ] as const) {
          const transaction = await producer.transaction();
          for (const from of [first, first + 5]) {
            const messages = numbers(from, from + 5).map((n) => ({ value: line(n) }));
            await transaction.send({ topic: 'transactions', messages });
          }
          await transaction[end]();
        }
      },
      config,
    );
    await reading({ brokers, topic: 'transactions', bounded: 'true' }, async (read) => {
      await read.drain(3);
      expect(read.lines()).toEqual([...numbers(0, 10), ...numbers(200, 210)].map(line));
      expect(read.offsets()).toEqual([...numbers(0, 10), ...numbers(22, 32)]);
      expect(read.reader.partitions[0]).toMatchObject({ position: 55, end: 55, done: true });
    });
  });

  it('does not read an open transaction, and a bounded read ends before it', async () => {
    await createTopic(broker, 'open');
    await produce('open', numbers(0, 5));
    const config = { transactionalId: 'open', idempotent: true, maxInFlightRequests: 1 };
    await withProducer(
      broker,
      async (producer) => {
        const transaction = await producer.transaction();
        await transaction.send({ topic: 'open', messages: numbers(5, 8).map((n) => ({ value: line(n) })) });
        await produce('open', numbers(8, 10));
        await reading({ brokers, topic: 'open', bounded: 'true' }, async (read) => {
          await read.drain();
          expect(read.lines()).toEqual(numbers(0, 5).map(line));
        });
        await reading({ brokers, topic: 'open' }, async (read) => {
          await read.until(5);
          expect(await read.poll(100, 700)).toBe(0);
          await transaction.commit();
          await read.until(10);
          expect(read.lines()).toEqual(numbers(0, 10).map(line));
        });
      },
      config,
    );
  });

  it('ends a bounded read at the end that was when it began', async () => {
    await createTopic(broker, 'ending');
    await produce('ending', numbers(0, 100));
    await reading({ brokers, topic: 'ending', bounded: 'true' }, async (read) => {
      await produce('ending', numbers(100, 200));
      await read.drain(9);
      expect(read.offsets()).toEqual(numbers(0, 100));
    });
  });

  it('goes on with a topic that grows, within some ms', async () => {
    await createTopic(broker, 'growing', 2);
    await produce('growing', numbers(0, 10));
    await reading({ brokers, topic: 'growing' }, async (read) => {
      await read.until(10);
      expect(read.reader.partitions.map((each) => each.done)).toEqual([false, false]);
      await withProducer(broker, async (producer) => {
        const waits: number[] = [];
        for (let n = 0; n < 40; n++) {
          const before = read.count;
          await producer.send({ topic: 'growing', messages: [{ partition: n % 2, value: line(n) }] });
          const produced = performance.now();
          while (read.count === before) await read.poll(1000, 1000);
          waits.push(performance.now() - produced);
        }
        expect(waits.sort((a, b) => a - b)[20]).toBeLessThan(100);
      });
      expect(read.offsets(0)).toEqual(numbers(0, 30));
      expect(read.offsets(1)).toEqual(numbers(0, 20));
    });
  });

  it('starts at the latest', async () => {
    await createTopic(broker, 'latest');
    await produce('latest', numbers(0, 10));
    await reading({ brokers, topic: 'latest', start: 'latest' }, async (read) => {
      expect(await read.poll(100, 300)).toBe(0);
      await produce('latest', numbers(10, 15));
      await read.until(5);
      expect(read.offsets()).toEqual(numbers(10, 15));
    });
    await reading({ brokers, topic: 'latest', start: 'latest', bounded: 'true' }, async (read) => {
      expect(read.reader.partitions.every((each) => each.done)).toBe(true);
      expect(await read.poll(100, 10_000)).toBe(0);
    });
  });

  it('reads partitions that are added to the topic', async () => {
    await createTopic(broker, 'wider');
    await produce('wider', numbers(0, 3));
    await reading({ brokers, topic: 'wider', start: 'latest', partition_discovery: '200 ms' }, async (read) => {
      await addPartitions(broker, 'wider', 3);
      await produce('wider', numbers(3, 6), 2);
      await read.until(3);
      expect(read.reader.partitions.map((each) => each.name)).toEqual(['wider-0', 'wider-1', 'wider-2']);
      expect(read.offsets(2)).toEqual([0, 1, 2]);
    });
  });

  it('keeps offsets right where compaction left gaps', async () => {
    const config = {
      'cleanup.policy': 'compact',
      'segment.ms': '100',
      'min.cleanable.dirty.ratio': '0.01',
      'max.compaction.lag.ms': '100',
    };
    await createTopic(broker, 'compacted', 1, config);
    await withProducer(broker, async (producer) => {
      for (let n = 0; n < 30; n++) {
        await producer.send({
          topic: 'compacted',
          messages: [{ key: `k${n % 3 === 0 ? n : 'same'}`, value: line(n) }],
        });
      }
    });
    const kept = async (): Promise<number[]> =>
      await reading({ brokers, topic: 'compacted', bounded: 'true' }, async (read) => {
        await read.drain(4);
        expect(read.lines()).toEqual(read.offsets().map((offset) => line(Math.min(offset, 30))));
        return read.offsets();
      });
    const deadline = Date.now() + 60_000;
    let offsets = await kept();
    while (offsets.length === 30 && Date.now() < deadline) {
      await sleep(1000);
      await withProducer(broker, (producer) =>
        producer.send({ topic: 'compacted', messages: [{ key: 'k', value: line(30) }] }),
      ); // a new segment, so that the old ones may be cleaned
      offsets = (await kept()).filter((offset) => offset < 30);
    }
    expect(offsets.length).toBeLessThan(30);
    expect(offsets).toEqual(expect.arrayContaining(numbers(0, 10).map((n) => 3 * n)));
  }, 90_000);

  it('says which records are gone', async () => {
    await createTopic(broker, 'gone');
    await produce('gone', numbers(0, 20));
    await reading({ brokers, topic: 'gone', prefetch: '1' }, async (read) => {
      while (read.reader.partitions[0]?.end === undefined) await sleep(20); // the first 20 wait for a poll, no more is fetched
      await produce('gone', numbers(20, 30));
      await withAdmin(broker, async (admin) => {
        await admin.fetchTopicOffsets('gone'); // kafkajs deletes only where it knows the leaders
        await admin.deleteTopicRecords({ topic: 'gone', partitions: [{ partition: 0, offset: '30' }] });
      });
      await produce('gone', numbers(30, 40));
      await expect(read.until(40)).rejects.toMatchObject({
        code: 'GAP',
        message: 'gone-0: offsets 20 to 29 are gone',
      });
      expect(read.offsets()).toEqual(numbers(0, 20));
    });
  });

  it('shows its progress to lag tools', async () => {
    await createTopic(broker, 'lag');
    await produce('lag', numbers(0, 10));
    await reading({ brokers, topic: 'lag', bounded: 'true', group_id: 'lag-group' }, (read) => read.drain());
    const shown = await withAdmin(broker, (admin) => admin.fetchOffsets({ groupId: 'lag-group', topics: ['lag'] }));
    expect(shown[0]?.partitions).toMatchObject([{ partition: 0, offset: '10' }]);
  });

  it('names the near miss of a topic that is not there', async () => {
    await createTopic(broker, 'orders');
    await expect(reading({ brokers, topic: 'order' }, (read) => read.drain())).rejects.toMatchObject({
      code: 'SOURCE',
      message: `the broker at ${brokers} has no topic 'order'`,
      hint: 'did you mean orders?',
    });
  });

  it('stops where the topic is deleted while it is read', async () => {
    await createTopic(broker, 'deleted');
    await produce('deleted', numbers(0, 3));
    await reading({ brokers, topic: 'deleted' }, async (read) => {
      await read.until(3);
      await withAdmin(broker, (admin) => admin.deleteTopics({ topics: ['deleted'] }));
      await expect(read.until(4, 25_000)).rejects.toMatchObject({ code: 'SOURCE', message: /no topic 'deleted'/ });
    });
  });
});

describe('the kafka source without a broker', () => {
  it('says so after a while', async () => {
    const started = Date.now();
    const read = reading({ brokers: '127.0.0.1:1', topic: 't' }, (opened) => opened.drain());
    await expect(read).rejects.toMatchObject({ code: 'SOURCE', message: 'no broker at 127.0.0.1:1' });
    expect(Date.now() - started).toBeLessThan(15_000);
  });

  it.each([
    [{ brokers: 'localhost', topic: 't' }, "brokers takes 'host:port' or 'host:port,host:port', not 'localhost'"],
    [{ brokers: 'a:9092,', topic: 't' }, "brokers takes 'host:port' or 'host:port,host:port', not 'a:9092,'"],
    [{ brokers: 'a:99999', topic: 't' }, "brokers takes 'host:port' or 'host:port,host:port', not 'a:99999'"],
    [{ brokers: 'a:1', topic: '' }, 'topic takes the name of a topic, not an empty text'],
    [{ brokers: 'a:1', topic: 't', format: 'raw' }, "format = 'raw' takes one column, a VARCHAR or a BLOB"],
    [
      { brokers: 'a:1', topic: 't', format: 'avro' },
      "format takes one of json, csv, raw, debezium, debezium-json, upsert, upsert-json, not 'avro'",
    ],
    [{ brokers: 'a:1', topic: 't', quote: '|' }, "the option quote is for format = 'csv' only, not json"],
    [
      { brokers: 'a:1', topic: 't', format: 'csv', delimiter: '' },
      "delimiter takes one to four characters other than the quote, not ''",
    ],
    [{ brokers: 'a:1' }, 'a kafka source needs the option topic'],
    [{ brokers: 'a:1', topic: 't', prefetch: '0' }, 'prefetch takes more than 0 and less than 2^31 ms or bytes'],
  ])('refuses %j', (options, message) => {
    expect(() => planKafka(options as Record<string, string>)).toThrow(message);
  });

  it('is bounded where it says so', () => {
    expect(planKafka({ brokers: 'a:1,[::1]:2', topic: 't', bounded: 'true' })).toMatchObject({
      bounded: true,
      strict: false,
    });
    expect(planKafka({ brokers: 'a:1', topic: 't', strict: 'true' })).toMatchObject({ bounded: false, strict: true });
    expect(() => planKafka({ brokers: 'a:1', topic: 't' }, [])).toThrow('source s declares no columns');
  });
});
