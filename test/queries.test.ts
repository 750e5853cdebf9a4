import { createReadStream, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResultTable, RunSummary } from '../src/base/run.ts';
import { stdinFrom } from '../src/connectors/stdin/connector.ts';
import { open, type EngineHost } from '../src/engine.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, withProducer, type TestBroker } from './support/kafka.ts';

const cwd = fileURLToPath(new URL('..', import.meta.url));

/** Runs queries/NAME.sql from the repository's folder; what its closing SELECTs show. */
const run = async (
  name: string,
  variables: Readonly<Record<string, string>> = {},
  host: EngineHost = {},
): Promise<{ summary: RunSummary; results: readonly ResultTable[] }> => {
  const engine = await open({ cwd, variables }, host);
  try {
    await engine.sql(readFileSync(`${cwd}/queries/${name}.sql`, 'utf8'), `${name}.sql`);
    const results: ResultTable[] = [];
    const summary = await engine.run({
      onEvent: (event) => {
        if (event.event === 'result') results.push(event.table);
      },
    });
    return { summary, results };
  } finally {
    await engine.close();
  }
};

test('word count over a file', async () => {
  const { summary, results } = await run('wordcount-file');
  expect(summary).toMatchObject({ rowsIn: 24, late: 0, deadLetters: 0 });
  expect(results[0]?.rows.slice(0, 5)).toEqual([
    ['the', '14'],
    ['was', '7'],
    ['to', '5'],
    ['were', '5'],
    ['and', '4'],
  ]);
});

test('sensors: averages by minute, two readings too late', async () => {
  const { summary, results } = await run('sensors');
  expect(summary).toMatchObject({ rowsIn: 92, late: 2, deadLetters: 0, views: [{ rows: 15, late: 2 }] });
  expect(results[0]?.rows.slice(0, 3)).toEqual([
    ['2024-05-01 08:00:00', 'attic', '6', 23.97, 24.1],
    ['2024-05-01 08:00:00', 'cellar', '6', 12.82, 13],
    ['2024-05-01 08:00:00', 'garden', '6', 9.27, 9.7],
  ]);
});

test('orders joined with payments inside five minutes, and the takings', async () => {
  const { summary, results } = await run('orders-payments');
  expect(summary).toMatchObject({ rowsIn: 44, late: 0, deadLetters: 0 });
  expect(results[0]?.rows.length).toBe(18);
  expect(results[0]?.rows.filter(([order]) => order === '1023')).toEqual([
    ['1023', 'Edsger', '64.90', '32.45', 'voucher', '65'],
    ['1023', 'Edsger', '64.90', '32.45', 'card', '131'],
  ]);
  expect(results[1]?.rows).toEqual([
    ['card', '9', '761.21'],
    ['voucher', '6', '518.96'],
    ['transfer', '3', '310.81'],
  ]);
});

test('an access log through standard input: requests by minute and by page', async () => {
  const stdin = stdinFrom(() => createReadStream(`${cwd}/queries/data/access.log`));
  const source: EngineHost['source'] = (name, builtIn) => (name === 'stdin' ? stdin : builtIn);
  const { summary, results } = await run('access-log', {}, { source });
  expect(summary).toMatchObject({ rowsIn: 60, late: 0, deadLetters: 0, interrupted: false });
  expect(results[0]?.rows.map(([, ...counts]) => counts)).toEqual([['20', '1'], ['19', '0'], ['20', '0'], ['1', '0']]); // prettier-ignore
  expect(results[1]?.rows[0]).toEqual(['/', '27', '1']);
});

test('the demo: three views, three tables of eight rows', async () => {
  const { summary, results } = await run('demo', { EVENTS: '150000' });
  expect(summary).toMatchObject({ rowsIn: 147_000, late: 0, deadLetters: 0 });
  expect(summary.views.map(({ name }) => name)).toEqual(['channel_totals', 'busy_sellers', 'quick_wins']);
  expect(results.map(({ rows }) => rows.length)).toEqual([8, 8, 8]);
  const bids = results[0]?.rows.map((row) => Number(row[2])) ?? [];
  expect(bids).toEqual([...bids].sort((a, b) => b - a));
});

describe.skipIf(skipKafka !== undefined)(kafkaTitle('word count over a topic'), () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker.stop());

  test('says of a topic what the other says of the file', async () => {
    const lines = readFileSync(`${cwd}/queries/data/carpenter.txt`, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    await createTopic(broker, 'lines', 2);
    await withProducer(broker, (producer) =>
      producer.send({ topic: 'lines', messages: lines.map((value, i) => ({ value, partition: i % 2 })) }),
    );
    const fromTopic = await run('wordcount-kafka', { BROKERS: broker.address, BOUNDED: 'true' });
    expect(fromTopic.summary).toMatchObject({ rowsIn: lines.length, deadLetters: 0, interrupted: false });
    expect(fromTopic.results).toEqual((await run('wordcount-file')).results);
  });
});
