import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScratchPool, SinkConnector, SourceReader } from '../src/base/connector.ts';
import type { Fault, FaultPoint } from '../src/base/fault.ts';
import { open, type Engine } from '../src/engine.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { openScratch } from '../src/exec/scratch.ts';
import { planKafka, reading, type Reading } from './support/kafka-reading.ts';
import { addPartitions, createTopic, kafkaTitle, skipKafka, startBroker, withAdmin, withProducer, type TestBroker } from './support/kafka.ts'; // prettier-ignore
import {
  contextOf,
  itResumes,
  opened,
  readAll,
  readOn,
  resumeAt,
  tapesOf,
  type Subject,
} from './support/resume-suite.ts';

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const line = (n: number): string => JSON.stringify({ n });

describe.skipIf(skipKafka !== undefined)(kafkaTitle('a kafka source of several topics'), () => {
  let broker: TestBroker;
  let brokers: string;
  let duck: Duck;
  let connection: DuckConnection;
  let scratch: ScratchPool;
  beforeAll(async () => {
    broker = await startBroker();
    brokers = broker.address;
    duck = await Duck.open(':memory:', { threads: '1' });
    connection = await duck.connect();
    scratch = openScratch();
  });
  afterAll(async () => {
    scratch.close();
    connection.close();
    duck.close();
    await broker.stop();
  });

  const subject = (options: Readonly<Record<string, string>>): Subject => ({
    connection,
    open: (context) => planKafka({ brokers, ...options }).open({ ...contextOf(scratch, connection), ...context }),
  });

  async function produce(topic: string, list: readonly number[], partition = 0, time?: string): Promise<void> {
    const timestamp = time === undefined ? {} : { timestamp: String(Date.parse(time)) };
    const messages = list.map((n) => ({ partition, value: line(n), ...timestamp }));
    await withProducer(broker, (producer) => producer.send({ topic, messages, acks: -1 }));
  }

  const names = (read: Reading): string[] => read.reader.partitions.map((each) => each.name);

  describe('that goes on', () => {
    beforeAll(async () => {
      await createTopic(broker, 'right', 2);
      await createTopic(broker, 'left', 3);
      for (const [i, name] of ['right', 'left'].entries())
        for (const partition of [0, 1]) await produce(name, numbers(0, 80 + 10 * i), partition);
    });
    itResumes(() => subject({ topic: 'right, left', bounded: 'true', prefetch: '2 kB', fetch_max_bytes: '1 kB' }), 4);
    itResumes(() => subject({ topic_pattern: '(lef|righ)t', bounded: 'true' }), 2);
  });

  it('reads them in the order in which they are named', async () => {
    await reading({ brokers, topic: 'right,left', bounded: 'true' }, async (read) => {
      expect(names(read)).toEqual(['right-0', 'right-1', 'left-0', 'left-1', 'left-2']);
      await read.drain(33);
      expect(numbers(0, 5).map((i) => read.lines(i))).toEqual(
        [80, 80, 90, 90, 0].map((count) => numbers(0, count).map(line)),
      );
    });
  });

  it('finds topics and partitions that turn up; what was known keeps its place over a restart', async () => {
    await createTopic(broker, 'east-2');
    await produce('east-2', numbers(0, 10));
    const options = { topic_pattern: 'east-.*', partition_discovery: '50 ms', group_id: 'east' };
    const tapes = await opened(subject(options), {}, async (reader, read) => {
      await readOn(subject(options), reader, read, [4], new Map([[0, 10]]));
      await createTopic(broker, 'east-1');
      await produce('east-1', numbers(0, 8));
      while (reader.partitions.length < 2) await sleep(20);
      await addPartitions(broker, 'east-2', 2);
      await produce('east-2', numbers(0, 6), 1);
      while (reader.partitions.length < 3) await sleep(20);
      read.push(...tapesOf(reader).slice(1));
      await readOn(subject(options), reader, read, [4], new Map([[1, 8], [2, 6]])); // prettier-ignore
      return read;
    });
    expect(tapes.map((tape) => [tape.name, tape.records.length])).toEqual([['east-2-0', 10], ['east-1-0', 8], ['east-2-1', 6]]); // prettier-ignore
    await createTopic(broker, 'east-0');
    for (const [topic, partition] of [['east-0', 0], ['east-1', 0], ['east-2', 1]] as const) await produce(topic, numbers(10, 15), partition); // prettier-ignore
    const resume = resumeAt(tapes, [tapes[0]!.last, tapes[1]!.stops[1]!, tapes[2]!.last]);
    const rest = await readAll(subject({ ...options, bounded: 'true' }), [4], {
      partitions: resume.partitions.map((each) => ({ ...each, end: undefined })),
    });
    expect(rest.map(({ name, records }) => [name, records.length])).toEqual([
      ['east-2-0', 0],
      ['east-1-0', 13 - tapes[1]!.stops[1]!.count],
      ['east-2-1', 5],
      ['east-0-0', 5],
    ]);
    const shown = await withAdmin(broker, (admin) => admin.fetchOffsets({ groupId: 'east' }));
    const offsets = shown.flatMap(({ topic, partitions }) => partitions.map((each) => [`${topic}-${each.partition}`, each.offset])); // prettier-ignore
    expect(Object.fromEntries(offsets)).toEqual({ 'east-0-0': '5', 'east-1-0': '13', 'east-2-0': '10', 'east-2-1': '11' }); // prettier-ignore
    const gone = { partitions: [{ name: 'east-7-0', position: 3 }] };
    await expect(opened(subject(options), { resume: gone }, () => Promise.resolve())).rejects.toMatchObject({
      code: 'GAP',
      message: 'east-7-0, which was read before, is not there any more',
    });
  });

  it('through the engine: a crash after a topic turned up, which is in no checkpoint', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'streamsql-topics-'));
    await createTopic(broker, 'west-b', 2);
    for (const partition of [0, 1]) await produce('west-b', numbers(partition * 100, partition * 100 + 50), partition);
    let isOver = false;
    const fault = (point: FaultPoint): void => {
      if (isOver && point === 'stepped') throw new Error('crash');
    };
    const started = async (isBounded: boolean): Promise<Engine> => {
      const paths = { state: join(folder, 'state'), db: join(folder, 'db') };
      const engine = await open(
        { ...paths, maxBatchRows: 20, batchIntervalMs: 0, checkpointIntervalMs: 1e9 },
        { fault },
      );
      await engine.sql(`CREATE SOURCE s (n BIGINT) WITH (connector = 'kafka', brokers = '${brokers}', topic_pattern = 'west-.',
          partition_discovery = '50 ms', bounded = ${isBounded});
        CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, sum(n)::BIGINT AS t FROM s;`);
      return engine;
    };
    const total = async (engine: Engine): Promise<unknown> => (await engine.query('SELECT c, t FROM v')).rows[0];
    const sum = (list: readonly number[]): string => String(list.reduce((a, b) => a + b, 0));
    try {
      const before = [...numbers(0, 50), ...numbers(100, 150), ...numbers(1000, 1030)];
      const first = await started(false);
      const run = first.run().catch((error: unknown) => error);
      await createTopic(broker, 'west-a');
      await produce('west-a', numbers(1000, 1030));
      // There is no view before the run has begun.
      const now = (): Promise<unknown> => total(first).catch(() => undefined);
      while (!isDeepStrictEqual(await now(), ['130', sum(before)])) await sleep(20);
      isOver = true;
      await produce('west-a', numbers(1030, 1040));
      expect(String(await run)).toContain('crash');
      await first.close();
      isOver = false;
      await createTopic(broker, 'west-0');
      await produce('west-0', numbers(5000, 5010));
      const second = await started(true);
      await second.run();
      expect(await total(second)).toEqual(['150', sum([...before, ...numbers(1030, 1040), ...numbers(5000, 5010)])]);
      await second.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('through the engine: a crash after a topic turned up in a batch that is read ahead', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'streamsql-topics-'));
    await createTopic(broker, 'north-a');
    await produce('north-a', [1]);
    let reader: SourceReader | undefined;
    let [isOver, isSaved] = [false, false];
    let staged = 0;
    const stage = (_epoch: number, _delta: unknown, rows: number): Promise<void> => Promise.resolve(void (staged = rows)); // prettier-ignore
    // The epoch of the first record is published when the other topic's are read.
    const publish = async (): Promise<void> => {
      if (staged === 0) return;
      while (reader?.partitions[1]?.position !== 5) await sleep(20);
      isOver = true;
    };
    /** After the first record it waits for what turns up. */
    const waiting = (inner: SourceReader): SourceReader => ({
      open: () => inner.open(),
      get partitions() {
        return inner.partitions;
      },
      poll: async (request) => {
        if (inner.partitions[0]?.position === 1 && inner.partitions.length === 1) {
          await createTopic(broker, 'north-b');
          await produce('north-b', numbers(10, 15));
          while (inner.partitions.length === 1) await sleep(20);
          await sleep(200); // so that all of it is there
        }
        if (isSaved) throw new Error('crash');
        return await inner.poll(request);
      },
      close: () => inner.close(),
    });
    const nothing = (): Promise<void> => Promise.resolve();
    const isPublished = (): Promise<boolean> => Promise.resolve(true);
    const writer = { open: nothing, isPublished, stage, publish, close: nothing };
    const held: SinkConnector = { name: 'held', doc: '', options: {}, plan: () => ({ open: () => writer }) };
    const started = async (fault: Fault, isBounded: boolean): Promise<Engine> => {
      const engine = await open(
        { state: join(folder, 'state'), db: join(folder, 'db'), batchIntervalMs: 0, checkpointIntervalMs: 1 },
        {
          fault,
          sink: (name, builtIn) => (name === 'held' ? held : builtIn),
          openReader: ({ plan }, context) => {
            reader = plan.open(context);
            return isBounded ? reader : waiting(reader);
          },
        },
      );
      await engine.sql(`CREATE SOURCE s (n BIGINT) WITH (connector = 'kafka', brokers = '${brokers}', topic_pattern = 'north-.',
          partition_discovery = '50 ms', bounded = ${isBounded});
        CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, sum(n)::BIGINT AS t FROM s;
        CREATE SINK out WITH (connector = 'held') AS SELECT n FROM s;`);
      return engine;
    };
    try {
      const saved = (point: FaultPoint): void => void (isSaved ||= isOver && point === 'checkpoint-manifest-renamed');
      const first = await started(saved, false);
      await expect(first.run()).rejects.toThrow('crash');
      await first.close();
      const second = await started(() => undefined, true);
      await second.run();
      expect((await second.query('SELECT c, t FROM v')).rows[0]).toEqual(['6', '61']);
      await second.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('waits for a topic where it is told to', async () => {
    const missing = reading({ brokers, topic: 'late' }, (read) => read.drain());
    await expect(missing).rejects.toMatchObject({ code: 'SOURCE', message: `the broker at ${brokers} has no topic 'late'` }); // prettier-ignore
    const bounded = reading({ brokers, topic: 'late', bounded: 'true', wait_for_topic: 'true' }, (read) => read.drain()); // prettier-ignore
    await expect(bounded).rejects.toMatchObject({ code: 'SOURCE' });
    await expect(reading({ brokers, topic_pattern: 'lat', bounded: 'true' }, (read) => read.drain())).rejects.toMatchObject({ message: `no topic at ${brokers} matches 'lat'` }); // prettier-ignore
    await reading({ brokers, topic: 'left,late', wait_for_topic: 'true', start: 'latest' }, async (read) => {
      expect(await read.poll(10, 50)).toBe(0);
      expect(read.notices.at(-1)).toBe('waiting for topic late');
      await createTopic(broker, 'late');
      await produce('late', numbers(0, 5));
      await read.until(5);
      expect(names(read).at(-1)).toBe('late-0');
      expect(read.notices.at(-1)).toBeUndefined();
    });
  });

  it('begins where it is told to', async () => {
    await createTopic(broker, 'timed', 2);
    for (const partition of [0, 1])
      for (const hour of [1, 2, 3]) await produce('timed', [hour, hour + 10], partition, `2026-01-01T0${hour}:00:00Z`);
    const begun = (options: Readonly<Record<string, string>>): Promise<number[]> =>
      reading({ brokers, topic: 'timed', bounded: 'true', ...options }, async (read) => {
        const begins = read.reader.partitions.map((each) => each.position);
        await read.drain();
        return begins;
      });
    expect(await begun({ start: '2026-01-01T02:00:00Z' })).toEqual([2, 2]);
    expect(await begun({ start: '2026-01-01 03:00:00.001+01:00' })).toEqual([4, 4]);
    expect(await begun({ start: '2026-01-02' })).toEqual([6, 6]);
    // Not what Kafka means by a time of -1, the end.
    for (const start of ['1969-12-31T23:59:59.999Z', '1900-01-01']) expect(await begun({ start })).toEqual([0, 0]);
    expect(await begun({ start: 'latest', start_offsets: '1:3' })).toEqual([6, 3]);
    expect(await begun({ topic: 'timed,left', start_offsets: 'timed-0:6, left-1:2' })).toEqual([6, 0, 0, 2, 0]);
    await expect(begun({ start_offsets: '2:1' })).rejects.toMatchObject({ code: 'SOURCE', message: 'there is no partition timed-2, which start_offsets names' }); // prettier-ignore
    await expect(begun({ start_offsets: '0:7' })).rejects.toMatchObject({ code: 'SOURCE', message: 'timed-0 ends at offset 6, before 7, its start_offsets' }); // prettier-ignore
    const unclear: [Record<string, string>, RegExp][] = [
      [{ start: 'yesterday' }, /start takes earliest, latest or a time, not 'yesterday'/],
      [{ start: '2026-13-01' }, /start takes/],
      [{ start: '2026-02-30' }, /start takes/],
      [{ start_offsets: '1' }, /start_offsets takes the offsets of partitions/],
      [{ start_offsets: '0:1,0:2' }, /each once/],
      [{ topic: 'a,b', start_offsets: '0:1' }, /start_offsets takes/],
      [{ topic: 'a,a' }, /topic names a twice/],
      [{ topic: 'a,my topic' }, /'my topic' is no name of a topic/],
      [{ topic_pattern: 'a' }, /topic and topic_pattern are both given/],
    ];
    for (const [options, message] of unclear)
      expect(() => planKafka({ brokers, topic: 'timed', ...options })).toThrow(message);
    for (const pattern of ['(', '', 'a)|(b'])
      expect(() => planKafka({ brokers, topic_pattern: pattern })).toThrow('topic_pattern takes a regular expression');
  });
});
