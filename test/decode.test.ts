import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ident, raw, sql } from '../src/base/sql.ts';
import { decode } from '../src/exec/decode/decoder.ts';
import { Bench } from './decode-support.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());

const column = (name: string, type: string): { name: string; type: string } => ({ name, type });

/** What one JSON value becomes in a column of a type: its JSON-like value, or the reason that it does not. */
async function verdict(type: string, json: string): Promise<unknown> {
  const { table, dead } = await bench.decode({ columns: [column('v', type)] }, [bench.json([`{"v":${json}}`])]);
  return dead[0]?.reason ?? (table[0] as unknown[])[0];
}

describe('what a type takes', () => {
  test.each([
    ['BIGINT', '13', '13'],
    ['BIGINT', '12.7', '13'],
    ['BIGINT', '"13"', '13'],
    ['BIGINT', '1e3', '1000'],
    ['BIGINT', '9007199254740993.0', '9007199254740993'],
    ['BIGINT', '900719925474099.3e1', '9007199254740993'],
    ['BIGINT', 'true', "column v: 'true' is no BIGINT"],
    ['BIGINT', '"x"', "column v: 'x' is no BIGINT"],
    ['BIGINT', '[1]', "column v: '[1]' is no BIGINT"],
    ['BIGINT', 'null', null],
    ['INTEGER', '3000000000', "column v: '3000000000' is no INTEGER"],
    ['HUGEINT', '123456789012345678901234567890', '123456789012345678901234567890'],
    ['DECIMAL(5,2)', '12.345', '12.35'],
    ['DECIMAL(38,20)', '0.12345678901234567891', '0.12345678901234567891'],
    ['DECIMAL(38,20)', '"0.12345678901234567891"', '0.12345678901234567891'],
    ['DOUBLE', '"NaN"', 'NaN'],
    ['BIGINT', '" 13 "', '13'],
    ['BIGINT', '-12.5', '-13'],
    ['BIGINT', '"0x1F"', '31'],
    ['BIGINT', '"1_000"', '1000'],
    ['BIGINT', '""', "column v: '' is no BIGINT"],
    ['DECIMAL(5,2)', '"1e3"', "column v: '1e3' is no DECIMAL(5,2)"],
    ['DECIMAL(18,2)', '1234567890123456.75', '1234567890123456.75'],
    ['DOUBLE', '1.5', 1.5],
    ['BOOLEAN', '1.0', "column v: '1.0' is no BOOLEAN"],
    ['BOOLEAN', '"on"', "column v: 'on' is no BOOLEAN"],
    ['DATE', '"2024-01-01T23:00:00-05:00"', '2024-01-01'],
    ['DATE', '"2024-02-30"', "column v: '2024-02-30' is no DATE"],
    ['TIME', '"12:30:00+05"', '12:30:00'],
    ['TIMESTAMP', '"2024-01-01 00:00:00 Europe/Paris"', "column v: '2024-01-01 00:00:00 Europe/Paris' is no TIMESTAMP"],
    ['TIMESTAMP', '"2024-06-30 23:59:60"', "column v: '2024-06-30 23:59:60' is no TIMESTAMP"],
    ['TIMESTAMP WITH TIME ZONE', '"2024-01-01 00:00:00 Europe/Paris"', '2023-12-31 23:00:00+00'],
    ['INTERVAL', '"3 days"', '3 days'],
    ['BOOLEAN', '"yes"', true],
    ['BOOLEAN', '0', false],
    ['BOOLEAN', '2', "column v: '2' is no BOOLEAN"],
    ['VARCHAR', '12.70', '12.7'],
    ['VARCHAR', '{"a": [1, "x"]}', '{"a":[1,"x"]}'],
    ['VARCHAR', '"\\u00e9\\n\\u0000"', 'é\n\0'],
    ['JSON', '"x"', '"x"'],
    ['JSON', 'null', null],
    ['DATE', '"2024-02-29"', '2024-02-29'],
    ['TIMESTAMP', '"2024-01-01T00:00:00Z"', '2024-01-01 00:00:00'],
    ['TIMESTAMP', '"2024-01-01T00:00:00+05:00"', '2023-12-31 19:00:00'],
    ['TIMESTAMP', '"2024-01-01 00:00:00.5-0530"', '2024-01-01 05:30:00.5'],
    ['TIMESTAMP', '"2024-01-01"', '2024-01-01 00:00:00'],
    ['TIMESTAMP', '1704067200000', "column v: '1704067200000' is no TIMESTAMP"],
    ['TIMESTAMP_MS', '"2024-01-01T00:00:00+01:00"', '2023-12-31 23:00:00'],
    ['TIMESTAMP WITH TIME ZONE', '"2024-01-01T00:00:00+05:00"', '2023-12-31 19:00:00+00'],
    ['INTEGER[]', '[1,"2",null]', [1, 2, null]],
    ['INTEGER[]', '[1,true]', `column v: '[1, true]' is no INTEGER[]`],
    ['INTEGER[]', '5', 'column v: 5 is no INTEGER[]'],
    ['INTEGER[2]', '[1]', `column v: '[1]' is no INTEGER[2]`],
    ['STRUCT(a BIGINT, "b c" TIMESTAMP[])', '{"b c":["2024-01-01T00:00:00+05:00"],"z":1}', { a: null, 'b c': ['2023-12-31 19:00:00'] }],
    ['STRUCT(a BIGINT)', '{"a":1,"a":2}', 'the key v.a occurs 2 times'],
    ['STRUCT(a BIGINT)', '[1]', 'column v: an array is no STRUCT(a BIGINT)'],
    ['STRUCT(a BIGINT)[]', '[{"a":1},null,{"a":[]}]', `column v: '[{'a': 1}, NULL, {'a': '[]'}]' is no STRUCT(a BIGINT)[]`],
    ['MAP(VARCHAR, INTEGER)', '{"x":1,"y":"2"}', [{ key: 'x', value: 1 }, { key: 'y', value: 2 }]],
    ['MAP(VARCHAR, INTEGER)', '{"x":1,"x":2}', `column v: '{x=1, x=2}' is no MAP(VARCHAR, INTEGER)`],
    ["ENUM('a', 'b')", '"b"', 'b'],
    ["ENUM('a', 'b')", '"c"', "column v: 'c' is no ENUM('a', 'b')"],
  ])('%s from %s', async (type, json, expected) => {
    expect(await verdict(type, json)).toEqual(expected);
  }); // prettier-ignore
});

describe('records', () => {
  const columns = [column('a', 'BIGINT'), column('b', 'VARCHAR')];

  test('what is no JSON object is a dead letter, in its place', async () => {
    const lines = ['{"a":1}', '5', '[1]', '"x"', 'null', '{"a":', '1}', '', '  ', '{"a":1,"a":2}', '{"A":7,"b":"x"}', '{}', '{"a":2} {"a":3}', '{"a":9}\r']; // prettier-ignore
    const { table, dead, segments } = await bench.decode({ columns }, [bench.json(lines)]);
    expect(table).toEqual([['1', null], [null, 'x'], [null, null], ['9', null]]); // prettier-ignore
    expect(dead.map(({ offset, reason }) => [offset, reason.replace(/(malformed JSON): .*/, '$1')])).toEqual([
      [1, 'not a JSON object'],
      [2, 'not a JSON object'],
      [3, 'not a JSON object'],
      [4, 'not a JSON object'],
      [5, 'malformed JSON'],
      [6, 'malformed JSON'],
      [7, 'the key a occurs 2 times'],
      [10, 'malformed JSON'],
    ]);
    expect(segments).toEqual([
      { partition: 0, firstRow: 0, rows: 1, firstOffset: 0 },
      { partition: 0, firstRow: 1, rows: 2, firstOffset: 8 },
      { partition: 0, firstRow: 3, rows: 1, firstOffset: 11 },
    ]);
  });

  test('the leniencies of DuckDB’s reader are the same beside a bad record', async () => {
    const lines = ['{"a":1,}', '{"a":2,"z":NaN}', '{"z":[1,],"a":3}'];
    const clean = await bench.decode({ columns }, [bench.json(lines)]);
    const beside = await bench.decode({ columns }, [bench.json([...lines, 'x'])]);
    expect(clean.table).toEqual([['1', null], ['2', null], ['3', null]]); // prettier-ignore
    expect(beside.table).toEqual(clean.table);
    expect(beside.dead).toHaveLength(1);
  });

  test('invalid UTF-8 is a dead letter whose payload shows where', async () => {
    const bad = Buffer.from('{"a":1,"b":"\xff"}', 'latin1');
    const { table, dead } = await bench.decode({ columns }, [bench.json(['{"a":1}', bad, '{"a":2,"b":"é"}'])]);
    expect(table).toEqual([['1', null], ['2', 'é']]); // prettier-ignore
    expect(dead).toEqual([{ partition: 0, offset: 1, payload: '{"a":1,"b":"�"}', reason: 'malformed JSON: invalid UTF-8' }]); // prettier-ignore
  });

  test('a record of 20 MB decodes, a long payload is cut', async () => {
    const long = 'é'.repeat(10_000_000);
    const { table, dead } = await bench.decode({ columns }, [
      bench.json([`{"a":1,"b":"${long}"}`, `{"a":"x","b":"${long}"}`]),
    ]);
    expect((table[0] as string[])[1]).toBe(long);
    expect(dead[0]?.payload?.length).toBeLessThan(66_000);
    expect(dead[0]?.payload).toMatch(/é… \(cut: 20000016 bytes in all\)$/);
  });

  test('a dead letter of a file names its byte, rejected ones come along, sorted', async () => {
    const options = { byteOffset: 1000, runs: [{ first: 50, count: 2 }], rejected: [{ offset: 999, payload: Buffer.from('y'), reason: 'too long' }] }; // prettier-ignore
    const { dead } = await bench.decode({ columns }, [bench.json(['{"a":1}', '{"a":"x"}'], options)]);
    expect(dead).toEqual([
      { partition: 0, offset: 999, payload: 'y', reason: 'too long' },
      { partition: 0, offset: 1008, payload: '{"a":"x"}', reason: "column a: 'x' is no BIGINT" },
    ]);
  });

  test('strict names source, partition, offset and reason', async () => {
    const chunk = bench.json(['{"a":1}', '{"a":"x"}'], { partition: 3, runs: [{ first: 40, count: 2 }] });
    await expect(bench.decode({ columns, strict: true }, [chunk])).rejects.toMatchObject({
      code: 'DATA',
      message: "source s, partition 3, offset 41: column a: 'x' is no BIGINT",
    });
  });

  test('no chunk, and no good record, leave an empty table of the right type', async () => {
    for (const chunks of [[], [bench.json(['x'])], [bench.json(['', ' '])]]) {
      const { rows, times } = await bench.decode({ columns, eventTime: undefined }, chunks);
      expect({ rows, times }).toEqual({ rows: 0, times: [] });
      const { columns: made } = await bench.connection.table(raw('FROM delta'));
      expect(made).toEqual(columns);
    }
  });

  test('a source without physical columns has its computed ones', async () => {
    const plan = { computed: [{ name: 'c', expression: raw('40 + 2'), type: 'INTEGER' }], proctime: ['p'] };
    const { table, dead } = await bench.decode(plan, [bench.json(['{"x":1}', '{"x":1', '{}'])]);
    expect(table).toEqual([[42, '1970-01-01 00:00:01'], [42, '1970-01-01 00:00:01']]); // prettier-ignore
    expect(dead.map(({ offset }) => offset)).toEqual([1]);
  });
});

test('two sources decoded at once on one connection are kept apart', async () => {
  const sources = ['a', 'b', 'c'].map((source, n) => ({
    table: ident(`of ${source}`),
    plan: { source, strict: false, columns: [column('v', 'BIGINT')], computed: [], proctime: [], eventTime: undefined, identity: true },
    chunks: [bench.json([`{"v":${n}}`, '{"v":"bad"}', `{"v":${n + 10}}`])],
  })); // prettier-ignore
  const decoded = await Promise.all(
    sources.map(({ plan, table, chunks }) => decode(bench.connection, plan, table, chunks, 0n)),
  );
  for (const [n, { table }] of sources.entries()) {
    const { rows } = await bench.connection.table(
      sql`SELECT CAST(v AS INTEGER), "$p", CAST("$o" AS INTEGER) FROM ${table} ORDER BY ALL`,
    );
    expect(rows).toEqual([[n, 0, 0], [n + 10, 0, 2]]); // prettier-ignore
    expect(decoded[n]?.dead).toMatchObject([{ offset: 1, reason: "column v: 'bad' is no BIGINT" }]);
  }
});

describe('computed columns and event time', () => {
  const plan = {
    columns: [column('ms', 'BIGINT'), column('d', 'INTEGER')],
    computed: [
      { name: 'ts', expression: raw('epoch_ms(s.ms)'), type: 'TIMESTAMP' },
      { name: 'q', expression: raw("CAST(['7', 'x', NULL][d + 1] AS INTEGER)"), type: 'BIGINT' },
    ],
    proctime: ['pt'],
    eventTime: 'ts',
    identity: true,
  };

  test('two statements, three with the identity', async () => {
    const chunk = bench.json(['{"ms":1000,"d":0}', '{"ms":2000,"d":2}']);
    for (const [identity, statements] of [
      [false, 2],
      [true, 4],
    ] as const) {
      // prettier-ignore
      const before = bench.connection.statements;
      const { times } = await bench.decode({ ...plan, identity }, [chunk]);
      expect(bench.connection.statements - before - 1).toBe(statements);
      expect(times).toEqual([{ partition: 0, firstRow: 0, rows: 2, min: 1_000_000n, max: 2_000_000n }]);
    }
  });

  test('a failing expression and a NULL event time are dead letters; a NULL result is not', async () => {
    const lines = ['{"ms":1000,"d":0}', '{"ms":1000,"d":1}', '{"d":0}', '{"ms":2000,"d":2}'];
    const chunk = bench.json(lines, { partition: 2, runs: [{ first: 10, count: 3 }, { first: 20, count: 1 }] }); // prettier-ignore
    const { table, dead } = await bench.decode(plan, [chunk]);
    expect(table).toEqual([
      ['1000', 0, '1970-01-01 00:00:01', '7', '1970-01-01 00:00:01', 2, '10'],
      ['2000', 2, '1970-01-01 00:00:02', null, '1970-01-01 00:00:01', 2, '20'],
    ]);
    expect(dead.map(({ offset, reason }) => [offset, reason])).toEqual([
      [11, "computed column q fails: CAST(['7', 'x', NULL][d + 1] AS INTEGER)"],
      [12, 'the event time ts is NULL or infinite'],
    ]);
  });

  test.each(['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'])('an infinite %s is a dead letter', async (type) => {
    const chunk = bench.json(['{"t":"2024-01-01 00:00:00"}', '{"t":"infinity"}', '{"t":"-infinity"}']);
    const { rows, dead, times } = await bench.decode({ columns: [column('t', type)], eventTime: 't' }, [chunk]);
    expect([rows, dead.map(({ offset }) => offset)]).toEqual([1, [1, 2]]);
    expect(times[0]?.max).toBe(1_704_067_200_000_000n);
  });

  test('stretches never mix partitions', async () => {
    const lines = (from: number, count: number): string[] =>
      Array.from({ length: count }, (_, i) => `{"ms":${from + i},"d":0}`);
    const chunks = [
      bench.json(lines(0, 3000), { partition: 1, runs: [{ first: 0, count: 3000 }] }),
      bench.json(lines(3000, 2000), { partition: 1, runs: [{ first: 3000, count: 2000 }] }),
      bench.json(lines(9000, 10), { partition: 0, runs: [{ first: 7, count: 10 }] }),
      bench.json(lines(5000, 5), { partition: 1, runs: [{ first: 5001, count: 5 }] }),
    ];
    const { times, segments, table } = await bench.decode(plan, chunks);
    const ms = (t: bigint): number => Number(t / 1000n);
    expect(times.map((t) => [t.partition, t.firstRow, t.rows, ms(t.min), ms(t.max)])).toEqual([
      [1, 0, 2048, 0, 2047],
      [1, 2048, 2048, 2048, 4095],
      [1, 4096, 904, 4096, 4999],
      [0, 5000, 10, 9000, 9009],
      [1, 5010, 5, 5000, 5004],
    ]);
    expect(segments).toEqual([
      { partition: 1, firstRow: 0, rows: 5000, firstOffset: 0 },
      { partition: 0, firstRow: 5000, rows: 10, firstOffset: 7 },
      { partition: 1, firstRow: 5010, rows: 5, firstOffset: 5001 },
    ]);
    const identity = (row: number): unknown => (table[row] as unknown[]).slice(5);
    expect([0, 4999, 5000, 5014].map(identity)).toEqual([[1, '0'], [1, '4999'], [0, '7'], [1, '5005']]); // prettier-ignore
  });
});

describe('CSV', () => {
  const columns = [column('a', 'BIGINT'), column('b', 'VARCHAR'), column('gone', 'DATE')];
  const header = ['b', undefined, 'a'];

  test('quotes, NULLs, skipped and missing columns', async () => {
    const text = 'x,0,1\n"NULL",0,12.7\nNULL,0,\n"","q,""\nz",3\n\n"é" , "s" ,4,\n';
    const { table, dead } = await bench.decode({ columns }, [bench.csv(text, 5, { header })]);
    expect(dead).toEqual([]);
    expect(table).toEqual([['1', 'x', null], ['13', 'NULL', null], [null, null, null], ['3', '', null], ['4', 'é', null]]); // prettier-ignore
  });

  test('the wrong number of fields and what does not cast are dead letters; the rest reads as it did', async () => {
    const text = 'x,0,1\r\nx,0\r\n"a\r\nb",0,2\nx,0,y\nx,"0"0,3\n"N""L",0,4\n1,2,3,4\nNULL,,\n"NULL",,\n';
    const { table, dead } = await bench.decode({ columns }, [bench.csv(text, 9, { header })]);
    expect(table.map((row) => (row as unknown[]).slice(0, 2))).toEqual([
      ['1', 'x'],
      ['2', 'a\r\nb'],
      ['4', 'N"L'],
      [null, null],
      [null, 'NULL'],
    ]);
    expect(dead.map(({ offset, reason }) => [offset, reason])).toEqual([
      [1, '2 fields where 3 are expected'],
      [3, "column a: 'y' is no BIGINT"],
      [4, 'malformed CSV: a quoted field does not end as it should'],
      [6, '4 fields where 3 are expected'],
    ]);
  });

  test('one column: a blank line is no record', async () => {
    const plan = { columns: [column('a', 'BIGINT')] };
    const { table } = await bench.decode(plan, [bench.csv('1\n\n2\nNULL\n', 3, { header: ['a'] })]);
    expect(table).toEqual([['1'], ['2'], [null]]);
  });
});

describe('queries', () => {
  const columns = [column('a', 'INTEGER'), column('t', 'TIMESTAMP')];

  test('several in order, cast to the plan’s types; what does not cast is a dead letter', async () => {
    const from = "SELECT unnest(['1', 'x', '3']) AS a, TIMESTAMP '2024-01-01' AS t";
    const chunks = [
      bench.query(from, 3, { runs: [{ first: 5, count: 3 }] }),
      bench.query("SELECT NULL AS t, 7::BIGINT AS a UNION ALL SELECT '2024-01-02', 8", 2, { partition: 1 }),
    ];
    const { table, dead } = await bench.decode({ columns, eventTime: 't' }, chunks);
    expect(table).toEqual([[1, '2024-01-01 00:00:00'], [3, '2024-01-01 00:00:00'], [8, '2024-01-02 00:00:00']]); // prettier-ignore
    expect(dead).toEqual([
      { partition: 0, offset: 6, payload: '{"a":"x","t":"2024-01-01 00:00:00"}', reason: "column a: 'x' is no INTEGER" },
      { partition: 1, offset: 0, payload: '{"t":null,"a":7}', reason: 'the event time t is NULL or infinite' },
    ]); // prettier-ignore
  });
});

describe('columns of where a record stands', () => {
  test('are those of the record, whatever is dropped beside it and wherever offsets have gaps', async () => {
    const columns = [column('n', 'INTEGER')];
    const placed = [
      { name: 'o', type: 'BIGINT', value: 'offset' as const },
      { name: 'of', type: 'VARCHAR', value: (partition: number) => `t-${partition}` },
    ];
    // Fails for the record at 12 of each partition, which only its place tells.
    const computed = [{ name: 'c', expression: raw("CASE WHEN o = 12 THEN CAST(of AS INTEGER) ELSE o + 1 END"), type: 'BIGINT' }]; // prettier-ignore
    const lines = (bad: readonly number[]): string[] => Array.from({ length: 6 }, (_, i) => (bad.includes(i) ? '{"n":"x"}' : `{"n":${i}}`)); // prettier-ignore
    const runs = [[10, 3], [20, 2], [30, 1]].map(([first = 0, count = 0]) => ({ first, count })); // prettier-ignore
    const offsets = [10, 11, 12, 20, 21, 30];
    for (const identity of [false, true]) {
      for (const bad of [[], [0], [1, 3], [5], [0, 1, 2, 3, 4, 5]]) {
        const chunks = [bench.json(lines(bad), { partition: 1, runs }), bench.query('SELECT 7 AS n', 1, { partition: 0 }), bench.json(lines([2]), { partition: 0, from: 50, runs: [{ first: 50, count: 6 }] })]; // prettier-ignore
        const { table, dead } = await bench.decode({ columns, placed, computed, identity }, chunks);
        const row = (n: number, partition: number, o: number): unknown[] => [n, String(o + 1), String(o), `t-${partition}`, ...(identity ? [partition, String(o)] : [])]; // prettier-ignore
        expect(table).toEqual([
          ...offsets.flatMap((o, i) => (bad.includes(i) || o === 12 ? [] : [row(i, 1, o)])),
          row(7, 0, 0),
          ...[0, 1, 3, 4, 5].map((i) => row(i, 0, 50 + i)),
        ]);
        expect(dead.map(({ partition, offset }) => [partition, offset])).toEqual([
          [0, 52],
          ...offsets.flatMap((o, i) => (bad.includes(i) || o === 12 ? [[1, o]] : [])),
        ]);
      }
    }
  });
});
