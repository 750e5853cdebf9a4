import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Column } from '../src/base/schema.ts';
import { raw, sql } from '../src/base/sql.ts';
import { eventNumbers, ordinalFrom } from '../src/connectors/nexmark/events.ts';
import { nexmarkSource } from '../src/connectors/nexmark/nexmark-source.ts';
import { openSequenceBench, planSource, refusal, type SequenceBench } from './support/sequence-bench.ts';

const KINDS = ['person', 'auction', 'bid'] as const;
const EVENTS = 10_000;

let bench: SequenceBench;
beforeAll(async () => {
  bench = await openSequenceBench();
  for (const table of KINDS) {
    const plan = planSource(nexmarkSource, { table, events: String(EVENTS) });
    const chunks = await bench.readAll(plan, [EVENTS]);
    await bench.keep(table, chunks);
  }
});
afterAll(() => bench.close());

const checksum = async (columns: readonly Column[], from: string): Promise<string> => {
  const text = columns.map(({ name }) => `coalesce(CAST(${name} AS VARCHAR), '-')`).join(` || '|' || `);
  return (await bench.connection.text(raw(`SELECT md5(string_agg(${text}, ';' ORDER BY rowid)) FROM ${from}`))) ?? '';
};

const numbers = async (query: string): Promise<readonly number[]> =>
  Object.values((await bench.connection.rows(raw(query)))[0] ?? {}).map(Number);

describe('the events are exactly repeatable', () => {
  test.each([
    ['person', '1d3c708fe6a3d5bbc4fe77dc4784a201'],
    ['auction', '72368ae3459c2ccc09c965277693a7bb'],
    ['bid', 'c79b7e6aa2850b3f23ef24e11085747e'],
  ] as const)('the first 10,000 events, as %s', async (table, expected) => {
    const plan = planSource(nexmarkSource, { table, events: '1' });
    expect(await checksum(plan.columns, table)).toBe(expected);
  });

  test('a draw is two rounds of multiply and xor-shift over 32 bits', async () => {
    const salt = [...Buffer.from('price')].reduce(
      (hash, byte) => Math.imul(hash ^ byte, 0x01000193),
      0x811c9dc5 ^ 0x9e3779b1,
    );
    const mixed = (n: number): number => {
      let hash = (n ^ salt) >>> 0;
      hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad) >>> 0;
      hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97) >>> 0;
      return (hash ^ (hash >>> 15)) >>> 0;
    };
    const price = (n: number): number => {
      const spread = mixed(n) * 20;
      const within = Math.floor((spread % 2 ** 32) / 2 ** 12);
      return Math.floor((100 * (2 ** 20 + within) * 2 ** Math.floor(spread / 2 ** 32)) / 2 ** 20);
    };
    const rows = await bench.connection.table(raw('SELECT price FROM bid ORDER BY rowid'));
    const expected = Array.from({ length: EVENTS }, (_, n) => n).filter((n) => n % 50 >= 4);
    expect(rows.rows.map(([value]) => Number(value))).toEqual(expected.map(price));
  });

  test('another seed gives other events with the same ids and times', async () => {
    const plan = planSource(nexmarkSource, { table: 'auction', events: String(EVENTS), seed: '2' });
    await bench.keep('other', await bench.readAll(plan, [EVENTS]));
    const [same, different, rows] = await numbers(
      `SELECT count(*) FILTER (a.date_time = o.date_time), count(*) FILTER (a.initial_bid <> o.initial_bid), count(*)
       FROM auction AS a JOIN other AS o USING (id)`,
    );
    expect(same).toBe(rows);
    expect(rows).toBe((EVENTS * 3) / 50);
    expect(different).toBeGreaterThan((rows ?? 0) * 0.99);
  });
});

test('slicing does not matter: any cut gives the same rows with the same offsets', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...KINDS),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 3, maxLength: 12 }),
      async (table, sizes) => {
        const plan = planSource(nexmarkSource, { table, events: '733' });
        const chunks = await bench.readAll(plan, sizes);
        chunks.reduce((at, chunk) => {
          expect(chunk.from).toBe(at);
          expect(chunk.runs.reduce((sum, run) => sum + run.count, 0)).toBe(chunk.records);
          return chunk.to;
        }, 0);
        expect(chunks.at(-1)?.to).toBe(733);
        await bench.keep('cut', chunks);
        const rows = ordinalFrom(table, 733);
        const difference = await numbers(
          `SELECT count(*) FROM (FROM (FROM cut SELECT *, rowid) EXCEPT ALL FROM (FROM ${table} SELECT *, rowid WHERE rowid < ${rows}))`,
        );
        expect([...difference, ...(await numbers('SELECT count(*) FROM cut'))]).toEqual([0, rows]);
      },
    ),
    { numRuns: 30 },
  );
});

test('a large batch is cut into as many chunks as are read at once', async () => {
  const plan = planSource(nexmarkSource, { table: 'bid', events: '200000' });
  const reader = plan.open(bench.context({ parallelism: 2 }));
  await reader.open();
  const chunks = await reader.poll({ partitions: 'all', maxRecords: 200_000, waitMs: 0 });
  expect(chunks.map(({ from, to, runs }) => [from, to, runs])).toEqual([
    [0, 100_000, [{ first: 0, count: 92_000 }]],
    [100_000, 200_000, [{ first: 92_000, count: 92_000 }]],
  ]);
  expect(reader.partitions).toMatchObject([{ name: 'bid', position: 200_000, end: 200_000, done: true }]);
});

test('the three tables advance alike when they are polled alike', async () => {
  for (const table of KINDS) {
    const reader = planSource(nexmarkSource, { table }).open(bench.context());
    await reader.open();
    await reader.poll({ partitions: 'all', maxRecords: 777, waitMs: 0 });
    expect(reader.partitions).toMatchObject([{ position: 777, end: undefined, done: false }]);
  }
});

test('the first row can be peeked at and is not consumed', async () => {
  const reader = planSource(nexmarkSource, { table: 'bid', events: '50' }).open(bench.context());
  await reader.open();
  expect(await reader.peek?.(0)).toMatchObject({ from: 4, to: 5, records: 1, runs: [{ first: 0, count: 1 }] });
  expect(reader.partitions[0]?.position).toBe(0);
  const none = planSource(nexmarkSource, { table: 'bid', events: '4' }).open(bench.context());
  expect(await none.peek?.(0)).toBeUndefined();
});

test('events beyond 2^32 have ids and times of their own, and draws that begin again', async () => {
  const plan = planSource(nexmarkSource, { table: 'bid' });
  const reader = plan.open(bench.context());
  await reader.open();
  const round = 50 * 2 ** 32;
  const [near] = await reader.poll({ partitions: 'all', maxRecords: 50, waitMs: 0 });
  const [far] = await reader.poll({ partitions: 'all', maxRecords: round, waitMs: 0 });
  const [after] = await reader.poll({ partitions: 'all', maxRecords: 50, waitMs: 0 });
  expect([near?.from, far?.records, after?.from]).toEqual([0, 46 * 2 ** 32, round + 50]);
  await bench.keep('after', after === undefined ? [] : [after]);
  expect(
    await numbers(
      `SELECT count(*), min(epoch_ms(date_time)) - ${Date.UTC(2015, 6, 15)},
         min(auction) > 3 * ${2 ** 32}, count(*) FILTER (b.price = a.price)
       FROM after AS a JOIN (SELECT price, rowid AS r FROM bid OFFSET 46 LIMIT 46) AS b ON b.r - 46 = a.rowid`,
    ),
  ).toEqual([46, (round + 50) / 10, 1, 46]);
});

test('ordinals and event numbers are each other’s way back', async () => {
  for (const kind of KINDS) {
    const rows = await bench.connection.rows(sql`SELECT CAST(n AS INTEGER) AS n FROM (${eventNumbers(kind, 0, 500)})`);
    rows.forEach(({ n }, ordinal) => {
      expect(ordinalFrom(kind, Number(n))).toBe(ordinal);
      expect(ordinalFrom(kind, Number(n) + 1)).toBe(ordinal + 1);
    });
  }
});

describe('the events make sense together', () => {
  test('of 50 events 1 is a person, 3 are auctions and 46 are bids', async () => {
    expect(
      await numbers('SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM auction), (SELECT count(*) FROM bid)'),
    ).toEqual([200, 600, 9200]);
  });

  test('bids are on auctions that have begun, by people who have come; so are sellers', async () => {
    expect(
      await numbers(`SELECT
        (SELECT count(*) FROM bid AS b JOIN auction AS a ON a.id = b.auction AND a.date_time <= b.date_time),
        (SELECT count(*) FROM bid AS b JOIN person AS p ON p.id = b.bidder AND p.date_time <= b.date_time),
        (SELECT count(*) FROM auction AS a JOIN person AS p ON p.id = a.seller AND p.date_time <= a.date_time),
        (SELECT count(*) FROM auction WHERE expires > date_time AND reserve > initial_bid)`),
    ).toEqual([9200, 9200, 600, 600]);
  });

  test('ids are unique', async () => {
    expect(
      await numbers('SELECT (SELECT count(DISTINCT id) FROM person), (SELECT count(DISTINCT id) FROM auction)'),
    ).toEqual([200, 600]);
  });

  test('half of the bids are on hot auctions, three quarters by hot bidders, three quarters of auctions by hot sellers', async () => {
    const [auctions, bidders, sellers, channels] = await numbers(`SELECT
      (SELECT avg(CAST((auction - 1000) % 100 = 0 AS INTEGER)) FROM bid),
      (SELECT avg(CAST((bidder - 1000) % 100 = 1 AS INTEGER)) FROM bid),
      (SELECT avg(CAST((seller - 1000) % 100 = 0 AS INTEGER)) FROM auction),
      (SELECT avg(CAST(channel IN ('Google', 'Facebook', 'Baidu', 'Apple') AS INTEGER)) FROM bid)`);
    expect(auctions).toBeCloseTo(0.505, 1);
    expect(bidders).toBeCloseTo(0.75, 1);
    expect(sellers).toBeCloseTo(0.76, 1);
    expect(channels).toBeCloseTo(0.5, 1);
  });

  test('each decade of prices is as likely as the next', async () => {
    const shares = await numbers(
      `SELECT ${[100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]
        .map((low) => `avg(CAST(price >= ${low} AND price < ${low * 10} AS INTEGER)) AS p${low}`)
        .join(', ')} FROM bid`,
    );
    for (const share of shares) expect(share).toBeCloseTo(1 / 6, 1);
    expect(await numbers('SELECT count(*) FROM bid WHERE price < 100 OR price > 104857600')).toEqual([0]);
  });

  test('a channel has one address, which names it nine times in ten, and the hot ones never', async () => {
    const [channels, pairs] = await numbers('SELECT count(DISTINCT channel), count(DISTINCT (channel, url)) FROM bid');
    expect(pairs).toBe(channels);
    const [hot, cold] = await numbers(`SELECT
      avg(CAST(url LIKE '%channel_id=%' AS INTEGER)) FILTER (channel NOT LIKE 'channel-%'),
      avg(CAST(url LIKE '%channel_id=%' AS INTEGER)) FILTER (channel LIKE 'channel-%') FROM bid`);
    expect(hot).toBe(0);
    expect(cold).toBeCloseTo(0.9, 1);
    expect(
      await numbers(
        `SELECT count(*) FROM bid WHERE NOT regexp_full_match(url, 'https://www\\.nexmark\\.com/[a-z]{5}/[a-z]{5}/[a-z]{5}/item\\.htm\\?query=1(&channel_id=\\d+)?')`,
      ),
    ).toEqual([0]);
  });
});

describe('event time', () => {
  const times = async (options: Record<string, string>): Promise<readonly number[]> => {
    const plan = planSource(nexmarkSource, { table: 'bid', events: '5000', ...options });
    await bench.keep('timed', await bench.readAll(plan, [5000]));
    const rows = await bench.connection.table(raw('SELECT epoch_ms(date_time) FROM timed ORDER BY rowid'));
    return rows.rows.map(([ms]) => Number(ms) - Date.UTC(2015, 6, 15));
  };
  const bids = Array.from({ length: 5000 }, (_, n) => n).filter((n) => n % 50 >= 4);

  test('begins on 2015-07-15 and goes on by one event in 100 microseconds, in whole ms', async () => {
    expect(await times({})).toEqual(bids.map((n) => Math.floor(n / 10)));
  });

  test('events_per_second sets its pace', async () => {
    expect(await times({ events_per_second: '300' })).toEqual(bids.map((n) => Math.floor((n * 1000) / 300)));
  });

  test('disorder moves events back by up to its length', async () => {
    const moved = await times({ disorder: '40 ms' });
    const behind = bids.map((n, i) => Math.floor(n / 10) - (moved[i] ?? 0));
    expect(Math.min(...behind)).toBe(0);
    expect(Math.max(...behind)).toBe(40);
    expect(Math.min(...moved)).toBe(0);
    expect(moved).not.toEqual([...moved].sort((a, b) => a - b));
  });
});

describe('declaring', () => {
  test('the columns may be declared in part, in any order, case and of a known type', async () => {
    const plan = planSource(
      nexmarkSource,
      { events: '100' },
      {
        name: 'Bids',
        columns: [
          { name: 'Date_Time', type: 'TIMESTAMP WITH TIME ZONE' },
          { name: 'price', type: 'bigint' },
        ],
      },
    );
    expect(plan.columns).toEqual([
      { name: 'Date_Time', type: 'TIMESTAMP WITH TIME ZONE' },
      { name: 'price', type: 'BIGINT' },
    ]);
    await bench.keep('part', await bench.readAll(plan, [100]));
    const described = await bench.connection.table(sql`SELECT * FROM part LIMIT 0`);
    expect(described.columns).toEqual([
      { name: 'Date_Time', type: 'TIMESTAMP WITH TIME ZONE' },
      { name: 'price', type: 'BIGINT' },
    ]);
    expect(
      await numbers(
        `SELECT count(*), count(*) FILTER (p.price = b.price AND p.date_time = b.date_time)
         FROM part AS p JOIN bid AS b ON p.rowid = b.rowid`,
      ),
    ).toEqual([92, 92]);
  });

  test('the chunks have the columns and types that the plan says', async () => {
    for (const table of KINDS) {
      const described = await bench.connection.table(raw(`SELECT * FROM ${table} LIMIT 0`));
      expect(described.columns).toEqual(planSource(nexmarkSource, { table }).columns);
    }
  });

  test.each([
    ['bids', 'auction'],
    ['auction', 'id'],
    ['Person', 'id'],
  ])('a source named %s needs no table', (name, first) => {
    expect(planSource(nexmarkSource, {}, { name }).columns[0]?.name).toBe(first);
  });

  test('is bounded where it has events', () => {
    expect(planSource(nexmarkSource, { table: 'bid' }).bounded).toBe(false);
    expect(planSource(nexmarkSource, { table: 'bid', events: '0' }).bounded).toBe(true);
  });

  test('mistakes are refused with what to do', () => {
    expect(refusal(() => planSource(nexmarkSource, {}, { name: 'offers' }))).toMatchObject({
      code: 'OPTION',
      message: 'nexmark source offers needs the option table',
    });
    expect(refusal(() => planSource(nexmarkSource, { table: 'bids' }))).toMatchObject({
      code: 'OPTION',
      message: expect.stringContaining('did you mean bid?') as string,
    });
    const declared = (name: string, type: string) => () =>
      planSource(nexmarkSource, {}, { name: 'bids', columns: [{ name, type }] });
    expect(refusal(declared('prize', 'BIGINT'))).toMatchObject({ code: 'BIND', hint: 'did you mean price?' });
    expect(refusal(declared('price', 'VARCHAR'))).toMatchObject({
      code: 'BIND',
      message: 'column price of bids is a BIGINT, not VARCHAR',
    });
    expect(refusal(() => planSource(nexmarkSource, { event: '7' }, { name: 'bids' }))).toMatchObject({
      code: 'OPTION',
      hint: 'did you mean events?',
    });
  });
});
