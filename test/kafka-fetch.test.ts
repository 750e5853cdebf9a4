import { Connection, Producer } from '@platformatic/kafka';
import type { Transaction } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { open } from '../src/engine.ts';
import type { FetchResponse } from '../src/connectors/kafka/fetch-response.ts';
import { reading, type Reading } from './support/kafka-reading.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, withProducer, type TestBroker } from './support/kafka.ts';

const FETCH = 1;
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const line = (n: number): string => JSON.stringify({ n, text: `number ${n}`, noise: Math.sin(n) });

describe.skipIf(skipKafka !== undefined)(kafkaTitle('what the kafka source fetches'), () => {
  let broker: TestBroker;
  let brokers: string;
  beforeAll(async () => {
    broker = await startBroker();
    brokers = broker.address;
  });
  afterEach(() => void vi.restoreAllMocks());
  afterAll(() => broker.stop());

  async function produce(topic: string, list: readonly number[], partition = 0): Promise<void> {
    const messages = list.map((n) => ({ partition, key: `k${n}`, value: line(n), headers: { h: `v${n}` } }));
    await withProducer(broker, (producer) => producer.send({ topic, messages, acks: -1 }));
  }

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'in %s, as Kafka itself and as a client writes it',
    async (codec) => {
      await createTopic(broker, codec, 1, { 'compression.type': codec });
      await produce(codec, numbers(0, 5)); // the broker compresses it
      await produce(codec, numbers(5, 4000));
      const client = new Producer<Buffer, Buffer, Buffer, Buffer>({ clientId: 'test', bootstrapBrokers: [brokers] });
      const topic = `${codec}-client`;
      await createTopic(broker, topic, 1, { 'compression.type': 'producer' });
      for (const list of [numbers(0, 1), numbers(1, 4000)]) {
        const messages = list.map((n) => ({ topic, partition: 0, value: Buffer.from(line(n)) }));
        await client.send({ messages, acks: 1, compression: codec });
      }
      await client.close();
      for (const name of [codec, topic]) {
        await reading({ brokers, topic: name, bounded: 'true' }, async (read) => {
          await read.drain(777);
          expect(read.lines()).toEqual(numbers(0, 4000).map(line));
          expect(read.offsets()).toEqual(numbers(0, 4000));
        });
      }
    },
  );

  it('of transactions that interleave: what was committed, over many small fetches and from any offset', async () => {
    const [topic, partitions] = ['interleaved', 2];
    await createTopic(broker, topic, partitions);
    const committed: string[][] = numbers(0, partitions).map(() => []);
    const places = new Map<string, number>();
    let count = 0;
    let state = 20_261_125;
    const dice = (sides: number): number =>
      ((state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % 65_521) % sides;
    const producers = numbers(0, 5).map((i) =>
      broker.client.producer({ transactionalId: `tx-${i}`, idempotent: true, maxInFlightRequests: 1 }),
    );
    await Promise.all(producers.map((producer) => producer.connect()));
    const open = new Map<number, { transaction: Transaction; lines: [number, string][] }>();
    const end = async (which: number): Promise<void> => {
      const { transaction, lines } = open.get(which)!;
      open.delete(which);
      if (dice(2) === 0) return await transaction.abort();
      await transaction.commit();
      for (const [partition, text] of lines) committed[partition]?.push(text);
    };
    for (let step = 0; step < 300; step++) {
      const which = dice(producers.length);
      const opened = open.get(which) ?? { transaction: await producers[which]!.transaction(), lines: [] };
      open.set(which, opened);
      const partition = dice(partitions);
      const messages = numbers(0, 1 + dice(3)).map(() => ({ partition, value: line(count++) }));
      const [sent] = await opened.transaction.send({ topic, messages });
      messages.forEach(({ value }, i) => {
        opened.lines.push([partition, value]);
        places.set(value, Number(sent?.baseOffset) + i);
      });
      if (dice(4) === 0) await end(which);
    }
    for (const which of open.keys()) await end(which);
    await Promise.all(producers.map((producer) => producer.disconnect()));
    const inOrder = committed.map((list) => list.toSorted((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0)));
    for (const fetch_max_bytes of ['1', '2 kB', '16 MB']) {
      await reading({ brokers, topic, bounded: 'true', fetch_max_bytes }, async (read) => {
        await read.drain(50);
        for (const partition of numbers(0, partitions)) {
          expect(read.lines(partition)).toEqual(inOrder[partition]);
          expect(read.offsets(partition)).toEqual(inOrder[partition]?.map((text) => places.get(text)));
        }
      });
    }
    for (const position of [1, 17, 100, 200].flatMap((first) => [first, first + 1, first + 2])) {
      const known = numbers(0, partitions).map((i) => ({ name: `${topic}-${i}`, position }));
      await reading({ brokers, topic, bounded: 'true' }, async (read) => {
        await read.drain();
        for (const partition of numbers(0, partitions)) {
          const rest = inOrder[partition]?.filter((text) => (places.get(text) ?? 0) >= position);
          expect(read.lines(partition)).toEqual(rest);
        }
      }, undefined, undefined, { partitions: known }); // prettier-ignore
    }
  }, 60_000);

  /** Rows of a view over the source, and its dead letters. */
  async function answer(
    topic: string,
    columns: string,
    options: string,
    values: readonly (string | Buffer | null)[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly dead: readonly unknown[] }> {
    await createTopic(broker, topic);
    await withProducer(broker, (producer) => producer.send({ topic, messages: values.map((value) => ({ value })) }));
    const engine = await open();
    try {
      await engine.sql(`
        CREATE SOURCE s (${columns}) WITH (connector = 'kafka', brokers = '${brokers}', topic = '${topic}', bounded = true, ${options});
        CREATE MATERIALIZED VIEW v AS SELECT * FROM s;`);
      await engine.run();
      const { rows } = await engine.query('SELECT * FROM v');
      const dead = await engine.query(
        'SELECT "offset"::INTEGER, payload, reason FROM _streamsql.dead_letters ORDER BY ALL',
      );
      return { rows, dead: dead.rows };
    } finally {
      await engine.close();
    }
  }

  it('as csv: a record a value, whatever stands in its quotes', async () => {
    const good = ['1,one', '2,"with\nline, feed"\r\n', '3,', '4,"say ""so"""', '5, x"y'];
    const bad = ['6,"open', '7,a\n8,b', '9,a,b', 'ten,x', '', '\n', null, '11,a\rb'];
    const last = ['12,end'];
    const { rows, dead } = await answer('csv', 'n INTEGER, t VARCHAR', "format = 'csv'", [...good, ...bad, ...last]);
    expect(rows.slice(0, 5)).toEqual([[1, 'one'], [2, 'with\nline, feed'], [3, null], [4, 'say "so"'], [5, ' x"y']]);
    expect(rows.slice(5)).toEqual([[11, 'a\rb'], [12, 'end']]);
    expect(dead).toEqual([
      [5, '6,"open', 'malformed CSV: a quoted field does not end'],
      [6, '7,a\n8,b', 'malformed CSV: more than one record in a value'],
      [7, '9,a,b', '3 fields where 2 are expected'],
      [8, 'ten,x', "column n: 'ten' is no INTEGER"],
      [9, '', 'empty value'],
      [10, '\n', 'blank value'],
      [11, null, 'null value'],
    ]);
    const others = "format = 'csv', delimiter = '|', quote = '''', null = 'NULL'";
    const numbered = "n INTEGER, at BIGINT METADATA FROM 'offset', t VARCHAR";
    const piped = await answer('piped', numbered, others, ["1|'a|b'", '2|NULL', 'x|', '3|"']);
    expect(piped.rows).toEqual([[1, '0', 'a|b'], [2, '1', null], [3, '3', '"']]);
    expect(piped.dead).toHaveLength(1);
    const keyed = answer('keyed', "t VARCHAR, k VARCHAR METADATA FROM 'key'", "format = 'csv'", ['a']);
    await expect(keyed).rejects.toMatchObject({ code: 'OPTION', message: /^format = 'csv' has no metadata/ });
  }); // prettier-ignore

  it('as bytes', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const { rows, dead } = await answer(
      'bytes',
      "b BLOB, n AS octet_length(b), h AS hex(b), k VARCHAR METADATA FROM 'key'",
      "format = 'raw'",
      [all, '', null],
    );
    expect(rows).toEqual([
      [expect.anything(), '256', all.toString('hex').toUpperCase(), null],
      [expect.anything(), '0', '', null],
    ]);
    expect(dead).toEqual([[2, null, 'null value']]);
  });

  /** Flips a bit of the records of the answers to fetches for which `when` says so, by their number. */
  function damage(when: (answer: number) => boolean): void {
    let answers = 0;
    const original = Object.getOwnPropertyDescriptor(Connection.prototype, 'send')?.value as Connection['send'];
    vi.spyOn(Connection.prototype, 'send').mockImplementation(function send(
      this: Connection,
      ...args: Parameters<Connection['send']>
    ) {
      const parse = args[3];
      if (args[0] === FETCH)
        args[3] = (...parts) => {
          const response = parse(...parts) as FetchResponse;
          const { start, end } = response.partitions[0] ?? { start: 0, end: 0 };
          const at = end - 5;
          if (end > start && when(answers++)) response.bytes[at] = (response.bytes[at] ?? 0) ^ 4;
          return response;
        };
      return original.apply(this, args);
    } as typeof original);
  }

  const readDamaged = async (when: (answer: number) => boolean): Promise<Reading> => {
    damage(when);
    return await reading({ brokers, topic: 'damaged', bounded: 'true', fetch_max_bytes: '10 kB' }, (read) =>
      read.drain(),
    );
  };

  it('damaged on its way is fetched again, and else said to be damaged', async () => {
    await createTopic(broker, 'damaged');
    for (let n = 0; n < 1000; n += 50) await produce('damaged', numbers(n, n + 50));
    const read = await readDamaged((answer) => answer % 3 === 0);
    expect(read.lines()).toEqual(numbers(0, 1000).map(line));
    expect(read.offsets()).toEqual(numbers(0, 1000));
    vi.restoreAllMocks();
    await expect(readDamaged((answer) => answer >= 2)).rejects.toMatchObject({
      code: 'SOURCE',
      message: expect.stringMatching(
        /^damaged-0: the record batch at offset \d+ is damaged: its checksum does not match$/,
      ) as string,
    });
  });
});
