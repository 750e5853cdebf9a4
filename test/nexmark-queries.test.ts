import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { raw } from '../src/base/sql.ts';
import { nexmarkSource } from '../src/connectors/nexmark/nexmark-source.ts';
import { open } from '../src/engine.ts';
import { openSequenceBench, planSource, type SequenceBench } from './support/sequence-bench.ts';

const EVENTS = 60_000;

/** Each query over tables of all the events, in plain DuckDB; window tables are written out. */
const ORACLE: Readonly<Record<string, string>> = {
  q0: 'SELECT auction, bidder, price, date_time, extra FROM bid',
  q1: 'SELECT auction, bidder, 0.908 * price, date_time, extra FROM bid',
  q2: 'SELECT auction, price FROM bid WHERE auction % 123 = 0',
  q5: `WITH counts AS (
         SELECT w.s AS window_start, auction, count(*) AS bids
         FROM bid, LATERAL (
           SELECT time_bucket(INTERVAL 2 SECOND, date_time, TIMESTAMP '1970-01-01') - i * INTERVAL 2 SECOND AS s FROM range(5) AS r(i)
         ) AS w GROUP BY ALL)
       SELECT window_start, window_start + INTERVAL 10 SECOND, auction, bids FROM counts
       QUALIFY bids = max(bids) OVER (PARTITION BY window_start)`,
  q7: `SELECT auction, price, bidder, date_time, extra FROM bid
       QUALIFY price = max(price) OVER (PARTITION BY epoch_ms(date_time) // 10000)`,
  q8: `SELECT DISTINCT p.id, name, make_timestamp(epoch_ms(p.date_time) // 10000 * 10000000)
       FROM person AS p JOIN auction AS a ON p.id = seller AND epoch_ms(p.date_time) // 10000 = epoch_ms(a.date_time) // 10000`,
};

let bench: SequenceBench;
beforeAll(async () => {
  bench = await openSequenceBench();
  for (const table of ['person', 'auction', 'bid']) {
    const plan = planSource(nexmarkSource, { table, events: String(EVENTS), events_per_second: '1000' });
    await bench.keep(table, await bench.readAll(plan, [EVENTS]));
  }
});
afterAll(() => bench.close());

/** Runs queries/nexmark/NAME.sql and gives what `select` finds at its end, every value as text. */
const answer = async (name: string, maxBatchRows: number, select: string): Promise<readonly (readonly unknown[])[]> => {
  const engine = await open({ variables: { EVENTS: String(EVENTS) }, maxBatchRows });
  try {
    await engine.sql(readFileSync(new URL(`../queries/nexmark/${name}.sql`, import.meta.url), 'utf8'), `${name}.sql`);
    const summary = await engine.run();
    expect([summary.late, summary.deadLetters]).toEqual([0, 0]);
    return (await engine.query(select)).rows;
  } finally {
    await engine.close();
  }
};

const texts = (from: string): string => `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${from}) ORDER BY ALL`;

describe('a Nexmark query over the stream is the same query over all of it', () => {
  test.each(Object.keys(ORACLE))('%s, however it is cut', async (name) => {
    const expected = (await bench.connection.table(raw(texts(ORACLE[name] ?? '')))).rows;
    expect(expected.length).toBeGreaterThan(0);
    for (const maxBatchRows of [7_001, 200_000])
      expect(await answer(name, maxBatchRows, texts(`FROM ${name}`))).toEqual(expected);
  });

  test('q12 counts each bid once, in some window of the wall clock', async () => {
    const counted = await answer(
      'q12',
      10_000,
      'SELECT bidder, CAST(sum(bids) AS VARCHAR), bool_and(epoch(window_start) % 10 = 0) FROM q12 GROUP BY bidder ORDER BY bidder',
    );
    const bids = await bench.connection.table(
      raw('SELECT bidder, CAST(count(*) AS VARCHAR), true FROM bid GROUP BY bidder ORDER BY bidder'),
    );
    expect(counted).toEqual(bids.rows);
  });
});
