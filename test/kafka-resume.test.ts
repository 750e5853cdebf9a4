import { setTimeout as sleep } from 'node:timers/promises';
import { CompressionTypes, type Message } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScratchPool } from '../src/base/connector.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { openScratch } from '../src/exec/scratch.ts';
import { itConforms } from './conformance/source-suite.ts';
import { planKafka } from './support/kafka-reading.ts';
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
import { contextOf, itResumes, opened, readAll, readOn, resumeAt, type Subject } from './support/resume-suite.ts';

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const line = (n: number): string => JSON.stringify({ n, text: 'x'.repeat((n * 37) % 300) });
type Gap = readonly [partition: string, from: number, to: number];

describe.skipIf(skipKafka !== undefined)(kafkaTitle('a kafka source that goes on'), () => {
  let broker: TestBroker;
  let duck: Duck;
  let connection: DuckConnection;
  let scratch: ScratchPool;
  beforeAll(async () => {
    broker = await startBroker();
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

  const topicOf = (topic: string, options: Readonly<Record<string, string>> = {}): Subject => ({
    connection,
    open: (context) =>
      // With one thread the partitions share files.
      planKafka({ brokers: broker.address, topic, ...options }).open({ ...contextOf(scratch, connection), parallelism: 1, ...context }), // prettier-ignore
  });
  const bounded = (topic: string, options: Readonly<Record<string, string>> = {}): Subject =>
    topicOf(topic, { bounded: 'true', ...options });

  async function produce(topic: string, list: readonly number[], partition = 0): Promise<void> {
    const messages = list.map((n) => ({ partition, value: line(n) }));
    await withProducer(broker, (producer) => producer.send({ topic, messages, acks: -1 }));
  }

  async function deleteBefore(topic: string, partition: number, offset: number): Promise<void> {
    await withAdmin(broker, async (admin) => {
      await admin.fetchTopicOffsets(topic); // kafkajs deletes only where it knows the leaders
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
    });
  }

  async function makeAnew(topic: string): Promise<void> {
    await withAdmin(broker, (admin) => admin.deleteTopics({ topics: [topic] }));
    // The broker forgets it a while after it said so.
    for (let tries = 0; ; tries++) {
      try {
        return await createTopic(broker, topic);
      } catch (error) {
        if (tries === 100) throw error;
        await sleep(100);
      }
    }
  }

  describe('with transactions, gzip and records that are none', () => {
    const topic = 'mixed';
    beforeAll(async () => {
      await createTopic(broker, topic, 3);
      const odd: Message[] = [{ value: null }, { value: '' }, { value: ' \n ' }, { value: '{"n":1,\n"text":"two lines"}' }, { value: '{"a\nb' }].map((message) => ({ ...message, partition: 0, key: 'k' })); // prettier-ignore
      const of = (partition: number, list: readonly number[]): Message[] =>
        list.flatMap((n) => [{ partition, key: 'k', value: line(n) }, ...(n % 7 === 0 ? [{ ...odd[n % 5]!, partition }] : [])]); // prettier-ignore
      const config = { transactionalId: 'mixed', idempotent: true, maxInFlightRequests: 1 };
      await withProducer(broker, async (producer) => {
        for (const [i, end] of (['commit', 'abort', 'commit', 'abort', 'abort', 'commit', 'abort'] as const).entries()) {
          const transaction = await producer.transaction();
          for (const partition of [0, 1]) await transaction.send({ topic, messages: of(partition, numbers(i * 40, i * 40 + 40)) }); // prettier-ignore
          await transaction[end]();
        }
      }, config); // prettier-ignore
      await withProducer(broker, async (producer) => {
        const send = (messages: Message[], compression = CompressionTypes.None) => producer.send({ topic, messages, compression, acks: -1 }); // prettier-ignore
        for (let n = 0; n < 90; n += 30) await send(of(2, numbers(n, n + 30)), CompressionTypes.GZIP);
        for (let n = 0; n < 20; n += 5) await send([...of(1, numbers(n, n + 5)), ...of(2, numbers(n, n + 5))]);
      });
    });
    itResumes(() => bounded(topic, { prefetch: '30 kB', fetch_max_bytes: '5 kB' }), 6);
    itConforms(() => ({ ...bounded(topic), columns: [{ name: 'n', type: 'BIGINT' }], bad: 45, sizes: [7, 100] }), 4);
    itResumes(() => bounded(topic, { format: 'upsert', prefetch: '30 kB' }), 3);
  });

  describe('without an end', () => {
    beforeAll(async () => {
      await createTopic(broker, 'growing', 2);
      for (const partition of [0, 1]) await produce('growing', numbers(0, 160), partition);
    });
    const columns = [{ name: 'n', type: 'BIGINT' }];
    const grow = { partition: (count: number) => produce('growing', numbers(0, count), 1) };
    itConforms(() => ({ ...topicOf('growing'), isUnbounded: true, columns, grow, sizes: [7] }), 1);
  });

  it('ends a bounded read where the first run said, and begins what is new at its start', async () => {
    await createTopic(broker, 'wider');
    await produce('wider', numbers(0, 30));
    const [tape] = await opened(bounded('wider'), {}, async (reader, tapes) => {
      await readOn(bounded('wider'), reader, tapes, [10], new Map([[0, 10]]));
      return tapes;
    });
    await produce('wider', numbers(30, 40));
    await addPartitions(broker, 'wider', 2);
    await produce('wider', numbers(0, 5), 1);
    const rest = await readAll(bounded('wider', { start: 'latest' }), [10], resumeAt([tape!], [tape!.last]));
    expect(rest.map(({ name, records }) => [name, records.length])).toEqual([['wider-0', 20], ['wider-1', 5]]); // prettier-ignore
  });

  it('says what retention has taken, or passes over it', async () => {
    await createTopic(broker, 'kept', 2);
    await produce('kept', numbers(0, 20));
    await produce('kept', numbers(0, 5), 1);
    const tapes = await readAll(bounded('kept'), [5]);
    await produce('kept', numbers(20, 30));
    await deleteBefore('kept', 0, 23);
    const at = tapes.map((tape) => tape.stops.find(({ position }) => position >= 5)!);
    const resume = resumeAt(tapes, [at[0]!, { ...at[1]!, end: 5 }]);
    await expect(opened(topicOf('kept'), { resume }, () => Promise.resolve())).rejects.toMatchObject({
      code: 'GAP',
      message: `kept-0: offsets ${at[0]!.position} to 22 are gone`,
      hint: expect.stringMatching(/--on-gap skip.*--fresh/) as unknown,
    });
    const gaps: Gap[] = [];
    const skipped = (...gap: Gap): void => void gaps.push(gap);
    await opened(topicOf('kept'), { resume, skipped }, async (reader, read) => {
      await readOn(topicOf('kept'), reader, read, [4], new Map([[0, 30]]));
      expect(read[0]!.records.map((record) => record.split(':')[0])).toEqual(numbers(23, 30).map(String));
    });
    expect(gaps).toEqual([['kept-0', at[0]!.position, 23]]);
    // What it was to read ends before what is left.
    const bound = resumeAt(tapes, [{ ...at[0]!, end: 20 }, tapes[1]!.last]);
    await opened(bounded('kept'), { resume: bound, skipped }, async (reader, read) => {
      await readOn(bounded('kept'), reader, read, [4]);
      expect(read.map(({ records }) => records.length)).toEqual([0, 0]);
      expect(reader.partitions[0]).toMatchObject({ position: 20, done: true });
    });
    expect(gaps[1]).toEqual(['kept-0', at[0]!.position, 20]);
  });

  it('passes over what retention takes while it reads', async () => {
    await createTopic(broker, 'overtaken');
    await produce('overtaken', numbers(0, 20));
    const gaps: Gap[] = [];
    const skipped = (...gap: Gap): void => void gaps.push(gap);
    const subject = topicOf('overtaken', { prefetch: '1' });
    await opened(subject, { skipped }, async (reader, tapes) => {
      while (reader.partitions[0]?.end === undefined) await sleep(20); // the first 20 wait for a poll, no more is fetched
      await produce('overtaken', numbers(20, 30));
      await deleteBefore('overtaken', 0, 30);
      await produce('overtaken', numbers(30, 40));
      await readOn(subject, reader, tapes, [8], new Map([[0, 40]]));
      const offsets = [...numbers(0, 20), ...numbers(30, 40)].map(String);
      expect(tapes[0]!.records.map((record) => record.split(':')[0])).toEqual(offsets);
    });
    expect(gaps).toEqual([['overtaken-0', 20, 30]]);
  });

  it('tells a topic that was deleted and made anew', async () => {
    await createTopic(broker, 'anew');
    await produce('anew', numbers(0, 20));
    const [tape] = await readAll(bounded('anew'), [5]);
    const open = (resume: ReturnType<typeof resumeAt>): Promise<void> =>
      opened(topicOf('anew'), { resume, skipped: () => {} }, () => Promise.resolve());
    const resume = resumeAt([tape!], [tape!.stops[2]!]);
    await opened(topicOf('anew'), { resume }, async (reader, read) => {
      const reading = (async () => {
        for (;;) await readOn(topicOf('anew'), reader, read, [5], new Map([[0, 20]])).then(() => reader.poll({ partitions: 'all', maxRecords: 5, waitMs: 100 })); // prettier-ignore
      })();
      const failed = expect(reading).rejects.toMatchObject({
        code: 'GAP',
        message: "topic 'anew' was deleted and made anew since it was read",
      });
      await makeAnew('anew');
      await failed;
    });
    await expect(open(resume)).rejects.toMatchObject({ code: 'GAP', message: "topic 'anew' was deleted and made anew since it was read" }); // prettier-ignore
    await produce('anew', numbers(0, 7));
    await expect(open({ partitions: [{ name: 'anew-0', position: 9 }] })).rejects.toMatchObject({
      code: 'GAP',
      message: 'anew-0 ends at offset 7, before offset 9, up to which it was read',
    });
    const twoKnown = { partitions: [{ name: 'anew-0', position: 0 }, { name: 'anew-1', position: 0 }] }; // prettier-ignore
    await expect(open(twoKnown)).rejects.toMatchObject({ code: 'GAP' });
  });

  it('says where a range that is to be read again is longer than what is there', async () => {
    await createTopic(broker, 'shorter');
    await produce('shorter', numbers(0, 7));
    const resume = { partitions: [{ name: 'shorter-0', position: 5 }] };
    await opened(topicOf('shorter'), { resume }, async (reader) => {
      const again = reader.poll({ partitions: 'all', maxRecords: 5, waitMs: 100, upTo: new Map([[0, 8]]) });
      await expect(again).rejects.toMatchObject({ code: 'GAP', message: /shorter-0 ends at offset 7/ });
    });
  });
});
