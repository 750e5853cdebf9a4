import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { raw } from '../src/base/sql.ts';
import { generatorSource } from '../src/connectors/generator/generator-source.ts';
import { startPace } from '../src/connectors/pacing.ts';
import { openSequenceBench, planSource, refusal, type SequenceBench } from './support/sequence-bench.ts';

let bench: SequenceBench;
beforeAll(async () => {
  bench = await openSequenceBench();
});
afterAll(() => bench.close());

const columns = (written: Readonly<Record<string, string>>) => ({
  name: 'g',
  computed: Object.entries(written).map(([name, expression]) => ({ name, expression: raw(expression) })),
});
const rows = async (options: Readonly<Record<string, string>>, written: Readonly<Record<string, string>>) => {
  await bench.keep('g', await bench.readAll(planSource(generatorSource, options, columns(written)), [2]));
  return (await bench.connection.table(raw('SELECT * FROM g ORDER BY rowid'))).rows;
};
const ALL = { partitions: 'all', maxRecords: 1000 } as const;

describe('rows', () => {
  test('are computed from n and from the columns before', async () => {
    const written = {
      i: 'n',
      price: 'n * 7 % 10',
      'Twice it': 'price * 2',
      ts: `TIMESTAMP '2024-01-01' + n * INTERVAL 1 MINUTE`,
    };
    expect(await rows({ rows: '3' }, written)).toEqual([
      ['0', '0', '0', '2024-01-01 00:00:00'],
      ['1', '7', '14', '2024-01-01 00:01:00'],
      ['2', '4', '8', '2024-01-01 00:02:00'],
    ]);
  });

  test('a column called n does not hide the number', async () => {
    expect(await rows({ rows: '2', start: '5' }, { n: 'n * 10', m: 'n' })).toEqual([
      ['50', '5'],
      ['60', '6'],
    ]);
  });

  test('the plan says that the columns are computed and that their types are to be found', () => {
    const plan = planSource(generatorSource, {}, columns({ i: 'n', s: `'x' || n` }));
    expect(plan).toMatchObject({
      columns: [
        { name: 'i', type: '' },
        { name: 's', type: '' },
      ],
      computesColumns: true,
      bounded: false,
    });
    expect(planSource(generatorSource, { rows: '0' }, columns({ i: 'n' })).bounded).toBe(true);
  });

  test('chunks adjoin each other and offsets are the numbers', async () => {
    const plan = planSource(generatorSource, { rows: '5', start: '100' }, columns({ i: 'n' }));
    const chunks = await bench.readAll(plan, [2]);
    expect(chunks.map(({ from, to, records, runs }) => [from, to, records, runs])).toEqual([
      [100, 102, 2, [{ first: 100, count: 2 }]],
      [102, 104, 2, [{ first: 102, count: 2 }]],
      [104, 105, 1, [{ first: 104, count: 1 }]],
    ]);
  });

  test('an expression that fails makes its chunk fail, and no other', async () => {
    const plan = planSource(
      generatorSource,
      { rows: '4' },
      columns({ i: `CAST(CASE WHEN n = 3 THEN 'x' ELSE '1' END AS INTEGER)` }),
    );
    const [good, bad] = await bench.readAll(plan, [2]);
    await bench.keep('g', good === undefined ? [] : [good]);
    await expect(bench.keep('g', bad === undefined ? [] : [bad])).rejects.toThrow(/Could not convert string 'x'/);
  });
});

describe('mistakes are refused with what to do', () => {
  test('a typed column', () => {
    const declaration = { name: 'g', columns: [{ name: 'price', type: 'BIGINT' }] };
    expect(refusal(() => planSource(generatorSource, {}, declaration))).toMatchObject({
      code: 'BIND',
      message: 'column price of generator g has a type where an expression belongs',
      hint: expect.stringContaining('price AS CAST(n AS BIGINT)') as string,
    });
  });

  test('no column at all, and a misspelt option', () => {
    expect(refusal(() => planSource(generatorSource, {}))).toMatchObject({ code: 'BIND' });
    expect(refusal(() => planSource(generatorSource, { row: '5' }, columns({ i: 'n' })))).toMatchObject({
      code: 'OPTION',
      hint: 'did you mean rows?',
    });
    expect(refusal(() => planSource(generatorSource, { rate: '0' }, columns({ i: 'n' })))).toMatchObject({
      code: 'OPTION',
    });
  });
});

describe('the rate', () => {
  test('tick i is due at start + i / rate, also after a pause', () => {
    let now = 5000;
    const pace = startPace(4, () => now);
    const due = [0, 1, 249, 250, 251, 999, 1000, 60_000].map((ms) => {
      now = 5000 + ms;
      return pace.due();
    });
    expect(due).toEqual([1, 1, 1, 2, 2, 4, 5, 241]);
  });

  test('waits for the next tick, but no longer than it may', async () => {
    const pace = startPace(20);
    const start = performance.now();
    // A timer may fire a fraction early: who waits for a tick asks again.
    for (let i = 0; i < 3 && pace.due() < 2; i++) await pace.until(1, 10_000, new AbortController().signal);
    const ticked = performance.now() - start;
    expect(pace.due()).toBeGreaterThanOrEqual(2);
    expect(ticked).toBeGreaterThanOrEqual(49);
    await pace.until(1_000_000, 20, new AbortController().signal);
    expect(performance.now() - start - ticked).toBeLessThan(5000);
  });

  test('an abort ends the wait', async () => {
    const abort = new AbortController();
    const wait = startPace(1).until(1000, 600_000, abort.signal);
    abort.abort();
    await expect(wait).resolves.toBeUndefined();
    await expect(startPace(1).until(1000, 600_000, abort.signal)).resolves.toBeUndefined();
  });

  test('paces a source: the first row at once, the others as they fall due, none twice', async () => {
    const plan = planSource(generatorSource, { rate: '100', rows: '12' }, columns({ i: 'n' }));
    const reader = plan.open(bench.context());
    const start = performance.now();
    await reader.open();
    const [first] = await reader.poll({ ...ALL, waitMs: 0 });
    expect(first?.from).toBe(0);
    let at = first?.to ?? 0;
    while (reader.partitions[0]?.done === false) {
      for (const chunk of await reader.poll({ ...ALL, waitMs: 50 })) {
        expect(chunk.from).toBe(at);
        at = chunk.to;
      }
    }
    expect(at).toBe(12);
    expect(performance.now() - start).toBeGreaterThanOrEqual(109);
    expect(await reader.poll({ ...ALL, waitMs: 50 })).toEqual([]);
  });

  test('an unbounded paced source knows how far behind it is', async () => {
    const reader = planSource(generatorSource, { rate: '1000' }, columns({ i: 'n' })).open(bench.context());
    await reader.open();
    await reader.poll({ partitions: 'all', maxRecords: 1, waitMs: 0 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(reader.partitions[0]?.end).toBeGreaterThanOrEqual(29);
    expect(reader.partitions[0]?.position).toBe(1);
  });

  test('nothing is read from a partition that is held back', async () => {
    const reader = planSource(generatorSource, {}, columns({ i: 'n' })).open(bench.context());
    await reader.open();
    expect(await reader.poll({ partitions: new Set(), maxRecords: 10, waitMs: 0 })).toEqual([]);
    expect(reader.partitions[0]?.position).toBe(0);
  });
});
