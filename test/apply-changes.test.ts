import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Column } from '../src/base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../src/base/sql.ts';
import { applyChanges } from '../src/exec/apply-changes.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';

let duck: Duck;
let connection: DuckConnection;

beforeAll(async () => {
  duck = await Duck.open(':memory:', { threads: '2' });
  connection = await duck.connect();
  await connection.run(sql`ATTACH ':memory:' AS res`);
});
afterAll(() => duck.close());

const table = ident('res', 'main', 'v');

async function start(columns: readonly Column[], rows: readonly Sql[]): Promise<void> {
  const definitions = columns.map((column) => sql`${ident(column.name)} ${raw(column.type)}`);
  await connection.run(sql`CREATE OR REPLACE TABLE ${table} (${join(definitions)})`);
  if (rows.length > 0) await connection.run(sql`INSERT INTO ${table} VALUES ${join(rows)}`);
}

async function change(columns: readonly Column[], rows: readonly Sql[], again = false): Promise<void> {
  const [first, ...others] = rows.map((row) => sql`SELECT * FROM (VALUES ${row})`);
  if (first === undefined) return;
  const casts = [...columns.map(({ type }) => type), 'BIGINT'].map(
    (type, i) => sql`col${raw(String(i))}::${raw(type)}`,
  );
  const names = [...columns.map(({ name }) => ident(name)), raw('"$n"')];
  await connection.run(
    sql`CREATE OR REPLACE TABLE d AS SELECT ${join(casts.map((cast, i) => sql`${cast} AS ${names[i] ?? raw('')}`))}
      FROM (${join([first, ...others], ' UNION ALL ')})`,
  );
  await connection.run(sql`BEGIN`);
  try {
    await applyChanges(connection, table, columns, raw('d'), again);
    await connection.run(sql`COMMIT`);
  } catch (error) {
    await connection.run(sql`ROLLBACK`);
    throw error;
  }
}

const contents = async (): Promise<readonly string[]> => {
  const found = await connection.rows(sql`SELECT CAST(v AS VARCHAR) AS shown FROM ${table} AS v ORDER BY ALL`);
  return found.map((row) => String(row['shown']));
};

const pair: readonly Column[] = [
  { name: 'a', type: 'BIGINT' },
  { name: 'b c', type: 'VARCHAR' },
];

describe('a weighted delta is applied as a multiset', () => {
  it('takes away exactly as many equal rows as are retracted', async () => {
    await start(pair, [raw(`(1, 'x'), (1, 'x'), (1, 'x'), (NULL, 'x'), (NULL, NULL), (NULL, NULL)`)]);
    await change(pair, [raw(`(1, 'x', -2)`), raw(`(NULL, NULL, -1)`), raw(`(2, 'y', 3)`)]);
    expect(await contents()).toEqual([
      "{'a': 1, 'b c': x}",
      "{'a': 2, 'b c': y}",
      "{'a': 2, 'b c': y}",
      "{'a': 2, 'b c': y}",
      "{'a': NULL, 'b c': NULL}",
      "{'a': NULL, 'b c': x}",
    ]);
  });

  it('needs no consolidated delta', async () => {
    await start(pair, [raw(`(1, 'x')`)]);
    await change(pair, [
      raw(`(1, 'x', -1)`),
      raw(`(1, 'x', -1)`),
      raw(`(1, 'x', 1)`),
      raw(`(5, 'n', 1), (5, 'n', -1)`),
    ]);
    expect(await contents()).toEqual([]);
  });

  it('tells -0.0 from 0.0 and a month from 30 days, and takes any NaN for NaN, in lists too', async () => {
    const columns = [
      { name: 'd', type: 'DOUBLE' },
      { name: 'l', type: 'DOUBLE[]' },
      { name: 'i', type: 'INTERVAL' },
    ];
    await start(columns, [
      raw(`(0.0, [-0.0::DOUBLE], INTERVAL '1 month'), (-0.0::DOUBLE, [0.0], INTERVAL '30 days'), ('nan', ['nan'], NULL),
        (-0.0::DOUBLE, [-0.0::DOUBLE], INTERVAL '1 month')`),
    ]);
    await change(columns, [
      raw(`(0.0::DOUBLE, [-0.0::DOUBLE], INTERVAL '1 month', -1)`),
      raw(`(-0.0::DOUBLE, [0.0::DOUBLE], INTERVAL '30 days', -1)`),
      raw(`(-('nan'::DOUBLE), [-('nan'::DOUBLE)], NULL, -1)`),
    ]);
    expect(await contents()).toEqual(["{'d': -0.0, 'l': [-0.0], 'i': 1 month}"]);
    await expect(change(columns, [raw(`(0.0::DOUBLE, [-0.0::DOUBLE], INTERVAL '1 month', -1)`)])).rejects.toThrow(
      '1 of 1 retracted rows are not in "res"."main"."v"',
    );
  });

  it('finds the rows with hash joins alone', async () => {
    await start(pair, [raw(`(1, 'x')`)]);
    const statements: string[] = [];
    const spy = {
      run: (s: Sql) => (statements.push(s.text), connection.run(s)),
      table: (s: Sql) => connection.table(s),
    };
    await connection.run(
      sql`CREATE OR REPLACE TABLE d AS SELECT 1::BIGINT AS a, NULL::VARCHAR AS "b c", 0::BIGINT AS "$n"`,
    );
    await connection.run(sql`INSERT INTO d VALUES (1, 'x', -1)`);
    await applyChanges(spy as unknown as DuckConnection, table, pair, raw('d'));
    const removal = statements.find((statement) => statement.startsWith('DELETE')) ?? '';
    const plan = await connection.rows(sql`EXPLAIN ${raw(removal)}`);
    const text = plan.map((row) => String(row['explain_value'])).join('\n');
    expect(text).toContain('HASH_JOIN');
    expect(text).not.toMatch(/NESTED_LOOP|PIECEWISE|CROSS_PRODUCT|BLOCKWISE/);
  });

  it('leaves what the sum of all weights says', async () => {
    const value = fc.constantFrom('NULL', '1', '2', '3');
    const text = fc.constantFrom('NULL', "'x'", "'y'");
    const weighted = fc.tuple(value, text, fc.integer({ min: -2, max: 3 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(weighted, { minLength: 1, maxLength: 8 }), { maxLength: 4 }),
        async (epochs) => {
          await start(pair, []);
          const model = new Map<string, number>();
          for (const epoch of epochs) {
            const rows = epoch.map(([a, b, n]) => {
              const key = `{'a': ${a}, 'b c': ${b.replaceAll("'", '')}}`;
              // No more is retracted than there is.
              const weight = Math.max(n, -(model.get(key) ?? 0));
              model.set(key, (model.get(key) ?? 0) + weight);
              return raw(`(${a}, ${b}, ${weight})`);
            });
            await change(pair, rows);
            const expected = [...model].flatMap(([key, n]) => Array<string>(n).fill(key));
            expect((await contents()).toSorted()).toEqual(expected.toSorted());
          }
        },
      ),
      { numRuns: 60, seed: 4 },
    );
  });
});

describe('after epochs were done again, doubles may be others than those that were written', () => {
  const sums: readonly Column[] = [
    { name: 'k', type: 'INTEGER' },
    { name: 's', type: 'DOUBLE' },
    { name: 'l', type: 'DOUBLE[]' },
  ];

  it('a row is found by doubles that are nearly the same, or by its other columns', async () => {
    await start(sums, [raw(`(1, 0.1, [0.1]), (2, 0.2, NULL), (3, 5.5e-17, [1]), (NULL, 7, [0.5])`)]);
    const was = [raw(`(1, 0.1, [0.1], -1)`), raw(`(2, 0.2 + 1e-15, NULL, -1)`), raw(`(3, 0, [2], -1)`)];
    await expect(change(sums, was)).rejects.toThrow('2 of 3 retracted rows are not in');
    await change(sums, [...was, raw(`(2, 4, [4], 1)`)], true);
    expect(await contents()).toEqual([`{'k': 2, 's': 4.0, 'l': [4.0]}`, `{'k': NULL, 's': 7.0, 'l': [0.5]}`]);
  });

  it('of several the nearest goes, and each row once', async () => {
    await start(sums, [raw(`(1, 1, NULL), (1, 2, NULL), (1, 3, NULL), (1, 'nan', NULL)`)]);
    await change(sums, [raw(`(1, 1.9, NULL, -1)`), raw(`(1, 2.2, NULL, -1)`), raw(`(1, 'nan', NULL, -1)`)], true);
    expect(await contents()).toEqual([`{'k': 1, 's': 1.0, 'l': NULL}`]);
  });

  it('a row of another key is not there', async () => {
    await start(sums, [raw(`(1, 1, NULL)`)]);
    await expect(change(sums, [raw(`(2, 1, NULL, -1)`)], true)).rejects.toThrow('1 of 1 retracted rows are not in');
  });
});
