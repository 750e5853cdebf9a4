import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, initProducerIdV5, murmur2 as libraryMurmur2 } from '@platformatic/kafka';
import { Partitioners } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { murmur2 } from '../src/connectors/kafka-sink/partitioner.ts';
import { parseAddresses } from '../src/connectors/address.ts';
import { Cluster, LATEST } from '../src/connectors/kafka/cluster.ts';
import { Duck } from '../src/exec/duck.ts';
import { reading } from './support/kafka-reading.ts';
import { committed, planKafkaSink, Sinking, type SinkOptions } from './support/kafka-sinking.ts';
import {
  createTopic,
  kafkaTitle,
  skipKafka,
  startBroker,
  withAdmin,
  withProducer,
  type TestBroker,
} from './support/kafka.ts';
import { LostAnswers, REQUEST } from './support/lost-answers.ts';
import { refusal } from './support/sequence-bench.ts';

const COLUMNS = [
  { name: 'id', type: 'INTEGER' },
  { name: 'name', type: 'VARCHAR' },
];
const CHANGES = { columns: [{ name: 'op', type: 'VARCHAR' }, ...COLUMNS] };

describe('the options of the Kafka sink', () => {
  const base = { brokers: '127.0.0.1:9092', topic: 't' };
  it.each([
    [{ ...base, brokers: 'nowhere' }, {}, 'brokers takes', "Kafka's usual port is 9092"],
    [{ ...base, topic: ' ' }, {}, 'topic takes the name of a topic', undefined],
    [{ ...base, format: 'upsert' }, CHANGES, 'the sink out needs a key', 'declare a PRIMARY KEY'],
    [{ ...base, format: 'upsert', key: 'ids' }, CHANGES, 'there is no column ids for the key', 'did you mean id?'],
    [{ ...base, key: 'price' }, { columns: COLUMNS }, 'there is no column price for the key', 'there are id, name'],
    [{ ...base, key: 'id' }, { columns: COLUMNS, primaryKey: ['name'] }, 'name other columns', 'leave key out'],
    [
      { ...base, format: 'debezium', changelog: 'true' },
      CHANGES,
      "changelog is for format = 'json'",
      'leave changelog out',
    ],
    [{ ...base, transaction_timeout: '0 s' }, {}, 'transaction_timeout takes more than 0', undefined],
    [{ ...base, delivery: 'twice' }, {}, 'delivery takes one of exactly_once, at_least_once', undefined],
  ])('%o', (options, shape, message, hint) => {
    const error = refusal(() => planKafkaSink(options as Readonly<Record<string, string>>, shape));
    expect(error).toMatchObject({ code: 'OPTION', message: expect.stringContaining(message) as string });
    if (hint !== undefined) expect(error.hint).toContain(hint);
  });

  it('a key in quotes, and one that PRIMARY KEY says again', () => {
    planKafkaSink({ ...base, key: '"name", ID' }, { columns: COLUMNS, primaryKey: ['name', 'id'] });
  });
});

it('keys are hashed as Kafka hashes them', () => {
  for (const text of ['', 'a', 'ab', 'abc', 'abcd', '{"id":17}', 'grüße', '\u{1f600}'.repeat(50)]) {
    const bytes = Buffer.from(text);
    expect([text, murmur2(bytes)]).toEqual([text, libraryMurmur2(bytes)]);
  }
});

describe.skipIf(skipKafka !== undefined)(kafkaTitle('the Kafka sink'), () => {
  let broker: TestBroker;
  let duck: Duck;
  const open: Sinking[] = [];
  beforeAll(async () => {
    broker = await startBroker(undefined, {
      'auto.create.topics.enable': 'false',
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '100',
    });
    duck = await Duck.open(':memory:', { threads: '2' });
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });
  afterAll(async () => {
    duck.close();
    await broker.stop();
  });

  /** Its topic names the job, so that each test has a transactional id of its own. */
  async function sink(
    options: Readonly<Record<string, string>>,
    parts: Parameters<typeof Sinking.on>[2] = {},
    shape?: SinkOptions,
  ): Promise<Sinking> {
    const job = options['topic'] ?? 'job';
    const sinking = await Sinking.on(duck, { brokers: broker.address, ...options }, { job, ...parts }, shape);
    open.push(sinking);
    await sinking.writer.open();
    return sinking;
  }

  const values = async (topic: string): Promise<readonly unknown[]> =>
    (await committed(broker, topic)).map(({ value }) => JSON.parse(value ?? 'null') as unknown);

  const numbers = async (topic: string): Promise<readonly number[]> =>
    (await values(topic)).map((row) => (row as { n: number }).n).sort((a, b) => a - b);

  /** How many records are seen while a transaction may be open; kafkajs cannot tell where they end then. */
  const stable = (topic: string): Promise<number> =>
    reading({ brokers: broker.address, topic, bounded: 'true' }, async (read) => (await read.drain()).count);

  /** Takes a transactional id over as another process would, and says nothing in the group. */
  async function takeOver(id: string): Promise<void> {
    const [host = '', port = ''] = broker.address.split(':');
    const connection = new Connection('other');
    await connection.connect(host, Number(port));
    for (let done = false; !done;) {
      done = await initProducerIdV5.api.async(connection, id, 60_000, -1n, -1).then(
        () => true,
        () => false,
      );
    }
    await connection.close();
  }

  /** Waits until what is open in the topic's partition 0 has timed out. */
  async function coordinatorAborts(topic: string): Promise<void> {
    const settings = { clientId: 'test', connectTimeoutMs: 3000, requestTimeoutMs: 3000 };
    const cluster = new Cluster(parseAddresses(broker.address) ?? [], settings);
    const end = async (): Promise<number> => {
      const { id = '' } = (await cluster.topic(topic)) ?? {};
      return (await cluster.offsets([{ topic, topicId: id, partition: 0 }], LATEST)).get(`${topic}-0`) ?? 0;
    };
    for (const before = await end(); (await end()) === before;) await sleep(20);
    await cluster.close();
  }

  describe('exactly once', () => {
    it('an epoch is seen when it is published', async () => {
      await createTopic(broker, 'plain');
      const out = await sink({ topic: 'plain' });
      await out.stage(0, 'SELECT range AS n FROM range(3)');
      expect(await stable('plain')).toBe(0);
      await out.writer.publish(0);
      await out.epoch(1, 'SELECT 3 AS n WHERE false');
      await out.epoch(2, 'SELECT 3 AS n');
      await out.writer.publish(2);
      expect(await numbers('plain')).toEqual([0, 1, 2, 3]);
    });

    it('an epoch may be staged again, and the last time counts', async () => {
      await createTopic(broker, 'again');
      const out = await sink({ topic: 'again' });
      await out.stage(0, 'SELECT 1 AS n');
      await out.stage(0, 'SELECT 2 AS n');
      await out.writer.publish(0);
      await out.stage(1, 'SELECT 3 AS n');
      await out.stage(1, 'SELECT 3 AS n WHERE false');
      await out.writer.publish(1);
      await out.epoch(2, 'SELECT 4 AS n');
      expect(await numbers('again')).toEqual([2, 4]);
    });

    it('what a crash left staged is aborted and staged again', async () => {
      await createTopic(broker, 'staged', 2);
      const first = await sink({ topic: 'staged' });
      await first.epoch(0, 'SELECT range AS n FROM range(10)');
      await first.stage(1, 'SELECT 10 + range AS n FROM range(10)');
      first.crash();
      const second = await sink({ topic: 'staged' }, { resume: { epoch: 1 } });
      expect(await second.writer.isPublished(1)).toBe(false);
      await second.epoch(1, 'SELECT 10 + range AS n FROM range(10)');
      await second.epoch(2, 'SELECT 20 AS n');
      expect(await numbers('staged')).toEqual(Array.from({ length: 21 }, (_, n) => n));
    });

    it('what was published before a crash is known to be in', async () => {
      await createTopic(broker, 'published');
      const first = await sink({ topic: 'published' });
      await first.epoch(0, 'SELECT 0 AS n');
      await first.epoch(7, 'SELECT 7 AS n');
      first.crash();
      const second = await sink({ topic: 'published' }, { resume: { epoch: 7 } });
      expect(await second.writer.isPublished(7)).toBe(true);
      await second.epoch(8, 'SELECT 8 AS n');
      second.crash();
      // The last epoch had no rows: nothing of it is in, and nothing is to be.
      const third = await sink({ topic: 'published' }, { resume: { epoch: 9 } });
      expect(await third.writer.isPublished(9)).toBe(false);
      await third.epoch(9, 'SELECT 9 AS n WHERE false');
      expect(await numbers('published')).toEqual([0, 7, 8]);
    });

    it('the one that comes later fences the one before', async () => {
      await createTopic(broker, 'fenced');
      const first = await sink({ topic: 'fenced' });
      await first.epoch(0, 'SELECT 0 AS n');
      await first.stage(1, 'SELECT 1 AS n');
      const second = await sink({ topic: 'fenced' }, { resume: { epoch: 1 } });
      const fenced = {
        code: 'SINK',
        exitCode: 3,
        message: "sink out: another process writes as 'streamsql-fenced-out' now, and this one may not",
        hint: 'a job is run by one process at a time: stop the other one',
      };
      await expect(first.writer.publish(1)).rejects.toMatchObject(fenced);
      await expect(first.stage(1, 'SELECT 1 AS n')).rejects.toMatchObject(fenced);
      expect(await second.writer.isPublished(1)).toBe(false);
      await second.epoch(1, 'SELECT 1 AS n');
      expect(await numbers('fenced')).toEqual([0, 1]);
    });

    it('is not resumed where nobody knows what is in', async () => {
      await createTopic(broker, 'gone');
      await expect(sink({ topic: 'gone' }, { resume: { epoch: 3 } })).rejects.toMatchObject({
        code: 'SINK',
        message: expect.stringContaining("the offset of consumer group 'streamsql-gone-out' is gone") as string,
        hint: expect.stringContaining('offsets.retention.minutes') as string,
      });
    });

    it('is not resumed by results that are older than what is in', async () => {
      await createTopic(broker, 'older');
      const first = await sink({ topic: 'older' });
      for (const epoch of [0, 1, 2]) await first.epoch(epoch, `SELECT ${epoch} AS n`);
      await expect(sink({ topic: 'older' }, { resume: { epoch: 1 } })).rejects.toMatchObject({
        code: 'SINK',
        message: expect.stringContaining("epoch 2 is in topic 'older', and the results end with epoch 1") as string,
      });
    });

    it('a run that begins anew begins to count anew', async () => {
      await createTopic(broker, 'anew');
      await (await sink({ topic: 'anew' })).epoch(5, 'SELECT 5 AS n');
      await (await sink({ topic: 'anew' })).epoch(0, 'SELECT 0 AS n');
      const third = await sink({ topic: 'anew' }, { resume: { epoch: 0 } });
      expect(await third.writer.isPublished(0)).toBe(true);
    });

    it.each(
      Object.entries(REQUEST).flatMap(([name, kind]) =>
        (['unsent', 'unanswered'] as const).map((how) => [name, how, kind] as const),
      ),
    )('%s %s: each row once', async (name, how, kind) => {
      const topic = `lost-${name}-${how}`;
      await createTopic(broker, topic, 3);
      const lost = new LostAnswers();
      try {
        const first = await sink({ topic });
        for (let epoch = 0; epoch < 4; epoch++) {
          lost.lose(kind, how);
          await first.stage(epoch, `SELECT ${10 * epoch} + range AS n FROM range(10)`);
          lost.lose(kind, how);
          await first.writer.publish(epoch);
        }
        lost.lose(kind, how);
        const second = await sink({ topic }, { resume: { epoch: 3 } });
        expect(await second.writer.isPublished(3)).toBe(true);
        await second.epoch(4, 'SELECT 40 AS n');
      } finally {
        lost.restore();
      }
      expect(await numbers(topic)).toEqual(Array.from({ length: 41 }, (_, n) => n));
    });

    it('a transaction that was open for too long is written again when it is published', async () => {
      await createTopic(broker, 'timeout');
      const out = await sink({ topic: 'timeout', transaction_timeout: '3 s' });
      await out.epoch(0, 'SELECT 0 AS n');
      await out.stage(1, 'SELECT 1 AS n');
      await coordinatorAborts('timeout');
      await out.writer.publish(1);
      await out.epoch(2, 'SELECT 2 AS n');
      expect(await numbers('timeout')).toEqual([0, 1, 2]);
    });

    it('an epoch that takes longer than a transaction may is refused', async () => {
      await createTopic(broker, 'slow');
      let fenced = false;
      const slowly = async (): Promise<void> => {
        if (!fenced) await coordinatorAborts('slow');
        fenced = true;
      };
      const out = await sink({ topic: 'slow', transaction_timeout: '3 s' });
      out.before = (statement) => (statement.text.includes('rowid >= 50000') ? slowly() : Promise.resolve());
      await expect(out.stage(0, 'SELECT range AS n FROM range(60000)')).rejects.toMatchObject({
        code: 'SINK',
        message: 'sink out: an epoch was not written within the 3 s of transaction_timeout',
        hint: 'raise transaction_timeout, or make epochs smaller with --max-batch-rows',
      });
      expect(fenced).toBe(true);
    });

    it('an id that another has taken without a word is not taken back', async () => {
      await createTopic(broker, 'taken');
      const out = await sink({ topic: 'taken' });
      await out.stage(0, 'SELECT 0 AS n');
      await takeOver('streamsql-taken-out');
      await expect(out.writer.publish(0)).rejects.toMatchObject({
        message: expect.stringContaining('another process writes as') as string,
      });
      expect(await stable('taken')).toBe(0);
    });

    it('a transaction timeout that the broker does not allow is refused', async () => {
      await createTopic(broker, 'long');
      await expect(sink({ topic: 'long', transaction_timeout: '1 hour' })).rejects.toMatchObject({
        code: 'SINK',
        message: 'sink out: the broker refuses: INVALID_TRANSACTION_TIMEOUT',
        hint: expect.stringContaining('transaction.max.timeout.ms') as string,
      });
    });
  });

  describe('at least once', () => {
    it('an epoch is sent when it is published', async () => {
      await createTopic(broker, 'least');
      const out = await sink({ topic: 'least', delivery: 'at_least_once' });
      await out.stage(0, 'SELECT 0 AS n');
      expect(await stable('least')).toBe(0);
      await out.writer.publish(0);
      await out.writer.publish(0);
      await out.epoch(1, 'SELECT 1 AS n WHERE false');
      expect(await numbers('least')).toEqual([0]);
      const again = await sink({ topic: 'least', delivery: 'at_least_once' }, { resume: { epoch: 1 } });
      expect(await again.writer.isPublished(1)).toBe(false);
      await again.epoch(1, 'SELECT 1 AS n');
      expect(await numbers('least')).toEqual([0, 1]);
    });

    it.each(['unsent', 'unanswered'] as const)('%s: the broker knows a batch that comes twice', async (how) => {
      await createTopic(broker, `least-${how}`, 2);
      const lost = new LostAnswers();
      try {
        const out = await sink({ topic: `least-${how}`, delivery: 'at_least_once' });
        for (let epoch = 0; epoch < 3; epoch++) {
          lost.lose(REQUEST.produce, how);
          await out.epoch(epoch, `SELECT ${10 * epoch} + range AS n FROM range(10)`);
        }
      } finally {
        lost.restore();
      }
      expect(await numbers(`least-${how}`)).toEqual(Array.from({ length: 30 }, (_, n) => n));
    });
  });

  describe('records', () => {
    it('a key decides on the partition as it does for other clients', async () => {
      await createTopic(broker, 'keys', 5);
      await createTopic(broker, 'keys-of-others', 5);
      const out = await sink({ topic: 'keys', key: 'id' }, {}, { columns: COLUMNS });
      await out.epoch(0, "SELECT range AS id, 'name ' || range AS name FROM range(100)");
      const ours = await committed(broker, 'keys');
      await withProducer(
        broker,
        (producer) =>
          producer.send({ topic: 'keys-of-others', messages: ours.map(({ key, value }) => ({ key, value })) }),
        { createPartitioner: Partitioners.DefaultPartitioner },
      );
      const byKey = (all: typeof ours): typeof ours => all.toSorted((a, b) => (String(a.key) < String(b.key) ? -1 : 1));
      expect(byKey(ours)).toEqual(byKey(await committed(broker, 'keys-of-others')));
      expect(new Set(ours.map(({ partition }) => partition)).size).toBe(5);
    });

    it('without a key the partitions take turns', async () => {
      await createTopic(broker, 'turns', 3);
      const out = await sink({ topic: 'turns' });
      for (let epoch = 0; epoch < 3; epoch++) await out.epoch(epoch, `SELECT ${epoch} AS n`);
      expect(new Set((await committed(broker, 'turns')).map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
    });

    it.each(['none', 'gzip'])('many in one epoch, in order, compression %s', async (compression) => {
      const topic = `many-${compression}`;
      await createTopic(broker, topic, 2);
      const out = await sink({ topic, compression, max_batch_bytes: '100 kB' });
      await out.epoch(0, "SELECT range AS n, repeat('x', 80) AS name FROM range(120000)");
      const seen = await committed(broker, topic);
      expect(seen.length).toBe(120_000);
      for (const partition of [0, 1]) {
        const own = seen.filter((record) => record.partition === partition);
        const ns = own.map(({ value }) => (JSON.parse(value ?? '') as { n: number }).n);
        expect(ns.length).toBeGreaterThan(0);
        expect(ns.every((n, i) => i === 0 || n > (ns[i - 1] ?? 0))).toBe(true);
      }
    });

    it('batches are cut to what the topic takes', async () => {
      await createTopic(broker, 'small', 1, { 'max.message.bytes': '2000' });
      const out = await sink({ topic: 'small' });
      await out.epoch(0, 'SELECT range AS n FROM range(1000)');
      await out.epoch(1, 'SELECT 1000 + range AS n FROM range(1000)');
      expect(await values('small')).toEqual(Array.from({ length: 2000 }, (_, n) => ({ n })));
    });

    it('one that is larger than the topic takes is refused', async () => {
      await createTopic(broker, 'large', 1, { 'max.message.bytes': '2000' });
      const out = await sink({ topic: 'large' }, {}, { columns: COLUMNS });
      await out.epoch(0, "SELECT 1 AS id, 'short' AS name");
      await expect(
        out.stage(1, "SELECT 2 AS id, 'b' AS name UNION ALL SELECT 3, repeat('x', 3000)"),
      ).rejects.toMatchObject({
        code: 'SINK',
        message: expect.stringMatching(
          /^sink out: a record of 3\d\d\d bytes is larger than topic 'large' takes$/,
        ) as string,
        hint: expect.stringContaining('max.message.bytes') as string,
      });
      await out.close();
      expect(await values('large')).toEqual([{ id: 1, name: 'short' }]);
    });

    it('a compacted topic takes none without a key', async () => {
      await createTopic(broker, 'compacted', 1, { 'cleanup.policy': 'compact' });
      const out = await sink({ topic: 'compacted' });
      await expect(out.stage(0, 'SELECT 1 AS n')).rejects.toMatchObject({
        code: 'SINK',
        message: expect.stringContaining('the broker refuses: INVALID_RECORD') as string,
        hint: expect.stringContaining('name its columns in key') as string,
      });
    });
  });

  describe('formats', () => {
    const CHANGE = `SELECT unnest(['-', '+', '+', '-']) AS op, unnest([1, 1, 2, 3]) AS id, unnest(['a', 'A', 'b', 'c']) AS name`;

    it('json with changelog: an op in front, all of a row in one partition', async () => {
      await createTopic(broker, 'log', 4);
      const out = await sink({ topic: 'log', changelog: 'true' }, {}, CHANGES);
      await out.epoch(0, `SELECT '+' AS op, range AS id, 'x' AS name FROM range(20)`);
      await out.epoch(1, `SELECT '-' AS op, range AS id, 'x' AS name FROM range(20)`);
      const seen = await committed(broker, 'log');
      const partitions = new Map<string, Set<number>>();
      for (const { value, partition } of seen) {
        const { op, ...row } = JSON.parse(value ?? '') as { op: string };
        expect(['+', '-']).toContain(op);
        partitions.set(JSON.stringify(row), (partitions.get(JSON.stringify(row)) ?? new Set()).add(partition));
      }
      expect([...partitions.values()].every((set) => set.size === 1)).toBe(true);
      expect(seen[0]?.value).toMatch(/^\{"op":"\+","id":\d+,"name":"x"\}$/);
    });

    it('upsert: the new row of a key, or its end', async () => {
      await createTopic(broker, 'upsert');
      const out = await sink({ topic: 'upsert', format: 'upsert', key: 'id' }, {}, CHANGES);
      await out.epoch(0, CHANGE);
      expect((await committed(broker, 'upsert')).map(({ key, value }) => [key, value])).toEqual([
        ['{"id":1}', '{"id":1,"name":"A"}'],
        ['{"id":2}', '{"id":2,"name":"b"}'],
        ['{"id":3}', null],
      ]);
    });

    it.each(['upsert', 'debezium'])('%s: two rows of one key are refused', async (format) => {
      const topic = `twice-${format}`;
      await createTopic(broker, topic);
      const out = await sink({ topic, format, key: 'name' }, {}, CHANGES);
      await expect(out.stage(0, "SELECT '+' AS op, range AS id, 'x' AS name FROM range(2)")).rejects.toMatchObject({
        code: 'SINK',
        message: 'sink out has more than one row of the key {"name":"x"}',
        hint: expect.stringContaining('choose a key that is unique in the query') as string,
      });
      await expect(out.stage(0, "SELECT '-' AS op, range AS id, 'x' AS name FROM range(2)")).rejects.toMatchObject({
        code: 'SINK',
      });
    });

    it.each([
      ['by a key', { key: 'id' }],
      ['whole rows', {}],
    ])('debezium: %s', async (what, options) => {
      const topic = `debezium-${what.replaceAll(' ', '-')}`;
      await createTopic(broker, topic);
      const out = await sink(
        { topic, format: 'debezium', ...options } as Readonly<Record<string, string>>,
        {},
        CHANGES,
      );
      await out.epoch(3, CHANGE);
      const seen = (await committed(broker, topic)).map(({ key, value }) => {
        const { before, after, op, source, ts_ms } = JSON.parse(value ?? '') as Record<string, unknown>;
        expect(source).toEqual({ connector: 'streamsql', name: 'out', epoch: 3 });
        expect(ts_ms).toBeTypeOf('number');
        return [key, op, before, after];
      });
      const row = (id: number, name: string): object => ({ id, name });
      if ('key' in options) {
        expect(seen).toEqual([
          ['{"id":1}', 'u', row(1, 'a'), row(1, 'A')],
          ['{"id":2}', 'c', null, row(2, 'b')],
          ['{"id":3}', 'd', row(3, 'c'), null],
        ]);
      } else {
        expect(seen).toEqual([
          [null, 'd', row(1, 'a'), null],
          [null, 'c', null, row(1, 'A')],
          [null, 'c', null, row(2, 'b')],
          [null, 'd', row(3, 'c'), null],
        ]);
      }
    });
  });

  describe('topics and brokers', () => {
    it('a topic that is not there, where the broker makes none', async () => {
      await createTopic(broker, 'topic-of-mine');
      await expect(sink({ topic: 'topic-of-mime' })).rejects.toMatchObject({
        code: 'SINK',
        message: `sink out: the broker at ${broker.address} has no topic 'topic-of-mime'`,
        hint: 'did you mean topic-of-mine?',
      });
    });

    it('a name that no topic can have is refused', async () => {
      await expect(sink({ topic: 'no topic' })).rejects.toMatchObject({
        code: 'SINK',
        message: 'sink out: the broker refuses: INVALID_TOPIC_EXCEPTION',
        hint: expect.stringContaining('a topic has letters') as string,
      });
    });

    it('no broker', async () => {
      await expect(sink({ topic: 'nowhere', brokers: '127.0.0.1:1' })).rejects.toMatchObject({
        code: 'SINK',
        message: 'sink out: no broker at 127.0.0.1:1',
        hint: expect.stringContaining('is Kafka running there?') as string,
      });
    }, 30_000);

    it('a topic that was deleted while it was written', async () => {
      await createTopic(broker, 'deleted');
      const out = await sink({ topic: 'deleted' });
      await out.epoch(0, 'SELECT 1 AS n');
      await withAdmin(broker, (admin) => admin.deleteTopics({ topics: ['deleted'] }));
      await expect(out.epoch(1, 'SELECT 2 AS n')).rejects.toMatchObject({
        code: 'SINK',
        message: `sink out: the broker at ${broker.address} has no topic 'deleted'`,
      });
    });
  });
});
