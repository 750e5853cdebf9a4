import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ident, raw, sql } from '../src/base/sql.ts';
import type { FileReference, Segment, TableState } from '../src/exec/checkpoint/manifest.ts';
import { restoreTable } from '../src/exec/checkpoint/restore-table.ts';
import { storedColumns } from '../src/exec/checkpoint/stored-columns.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { StateFolder } from './support/state-folder.ts';

let folder: string;
let duck: Duck;
let connection: DuckConnection;
let state: StateFolder;
beforeEach(async () => {
  // What is a pattern to DuckDB is a name to the file system.
  folder = mkdtempSync(join(tmpdir(), "streamsql-[restore]-it's*"));
  duck = await Duck.open(':memory:');
  connection = await duck.connect();
  state = new StateFolder(folder, connection);
});
afterEach(() => {
  duck.close();
  rmSync(folder, { recursive: true, force: true });
});

const COLUMNS = [
  { name: 'a', type: 'BIGINT' },
  { name: 'my b', type: 'VARCHAR' },
];
let files = 0;
const values = (rows: string, names = '(a, "my b")'): Promise<FileReference> =>
  state.data(String(files++), raw(`SELECT * FROM (VALUES ${rows}) AS v${names}`));

async function restored(segments: readonly Segment[]): Promise<readonly unknown[]> {
  const table: TableState = { name: 't', columns: COLUMNS, rows: 0, segments };
  await restoreTable(connection, ident('t'), table, folder);
  return (await connection.table(sql`FROM t ORDER BY ALL`)).rows;
}

const whole = (file: FileReference | undefined, epoch = 1): Segment => ({
  epoch, kind: 'whole', rows: 1, ...(file !== undefined && { file }),
}); // prettier-ignore
const added = (parts: Partial<Segment>): Segment => ({ epoch: 2, kind: 'added', rows: 0, ...parts });

describe('a table of the state', () => {
  it('is empty without segments, and after a whole one without rows', async () => {
    expect(await restored([])).toEqual([]);
    await connection.run(sql`DROP TABLE t`);
    expect(await restored([whole(await values(`(1, 'x')`)), whole(undefined)])).toEqual([]);
  });

  it('is what the last whole segment holds, and what was added after it', async () => {
    expect(
      await restored([
        whole(await values(`(1, 'x')`)),
        added({ file: await values(`(2, 'x')`) }),
        whole(await values(`(3, 'x'), (3, 'x')`)),
        added({ file: await values(`(4, NULL), (3, 'x')`) }),
      ]),
    ).toEqual([['3', 'x'], ['3', 'x'], ['3', 'x'], ['4', null]]); // prettier-ignore
  });

  it('begins with what was added where there is no whole segment', async () => {
    expect(await restored([added({ file: await values(`(1, 'x')`) })])).toEqual([['1', 'x']]);
  });

  it('loses what one of the conditions holds for, not what one is NULL for', async () => {
    expect(
      await restored([
        whole(await values(`(1, 'x'), (2, 'x'), (3, 'y'), (NULL, 'x'), (4, NULL)`)),
        added({ conditions: ['a < 2', `a > 2 AND "my b" = 'y' OR false`], file: await values(`(0, 'x')`) }),
      ]),
    ).toEqual([['0', 'x'], ['2', 'x'], ['4', null], [null, 'x']]); // prettier-ignore
  });

  it('loses the rows of `gone` by all of its columns, NULL being a value', async () => {
    const first = whole(await values(`(1, 'x'), (1, 'x'), (1, 'y'), (NULL, NULL), (NULL, 'x'), (2, 'x')`));
    expect(await restored([first, added({ gone: await values(`(1, 'x'), (NULL, NULL), (1, 'x'), (9, 'x')`) })])).toEqual(
      [['1', 'y'], ['2', 'x'], [null, 'x']],
    ); // prettier-ignore
    await connection.run(sql`DROP TABLE t`);
    expect(await restored([first, added({ gone: await values('(1), (NULL::INTEGER)', '(a)') })])).toEqual([['2', 'x']]);
  });

  it('has the new row of each key', async () => {
    expect(
      await restored([
        whole(await values(`(1, 'x'), (2, 'x'), (NULL, 'x'), (3, 'x'), (3, 'y')`)),
        added({ key: ['a'], file: await values(`(1, 'n'), (NULL, 'n'), (3, 'n'), (3, 'm'), (4, 'n')`) }),
      ]),
    ).toEqual([['1', 'n'], ['2', 'x'], ['3', 'm'], ['3', 'n'], ['4', 'n'], [null, 'n']]); // prettier-ignore
  });

  it('has one row where the key has no columns', async () => {
    const first = whole(await values(`(1, 'x')`));
    expect(await restored([first, added({ key: [], file: await values(`(2, 'y')`) })])).toEqual([['2', 'y']]);
    await connection.run(sql`DROP TABLE t`);
    expect(await restored([first, added({ key: [] })])).toEqual([['1', 'x']]);
  });

  it('takes one step of a segment after the other: conditions, gone, key, rows', async () => {
    const segment = added({
      conditions: ['a = 1'],
      gone: await values('(2)', '(a)'),
      key: ['a'],
      file: await values(`('n', 1), ('n', 2), ('n', 3)`, '("my b", a)'),
    });
    expect(
      await restored([whole(await values(`(1, 'x'), (2, 'x'), (3, 'x'), (4, 'x')`)), segment, added({ conditions: ['a = 2'] })]),
    ).toEqual([['1', 'n'], ['3', 'n'], ['4', 'x']]); // prettier-ignore
  });

  it('refuses a file whose columns are not the table’s', async () => {
    const segments = [whole(await values('(1)', '(c)'))];
    await expect(restored(segments)).rejects.toThrow('a segment has the column c, its table has not');
  });
});

describe('values come back from Parquet as they were', () => {
  it.each([
    `170141183460469231731687303715884105727::HUGEINT`,
    `['-170141183460469231731687303715884105728'::HUGEINT, NULL]`,
    `340282366920938463463374607431768211455::UHUGEINT`,
    `{'hugeint': 1, 'a, HUGEINT)': 36893488147419103233::HUGEINT, 'n': [MAP {36893488147419103233::HUGEINT: 'x'}]}`,
    `INTERVAL '1 month -2 days 3.000001 seconds'`,
    `[INTERVAL '0.000001 seconds']`,
    `'10:11:12.123456+02:30'::TIMETZ`,
    `'2024-01-01 00:00:00.123456+02'::TIMESTAMPTZ`,
    `'infinity'::TIMESTAMP`,
    `'2024-01-01 00:00:01.123456789'::TIMESTAMP_NS`,
    `'2024-01-01 00:00:01.123'::TIMESTAMP_MS`,
    `'2024-01-01 00:00:01'::TIMESTAMP_S`,
    `'HUGEINT'::ENUM('HUGEINT', 'INTERVAL')`,
    `'10101'::BIT`,
    `'9b2c1f7e-0000-4000-8000-000000000001'::UUID`,
    `1234567890123456789012345678.0123456789::DECIMAL(38,10)`,
    `[1, 2, 3]::INTEGER[3]`,
    `[[1.5::DOUBLE, 'nan', '-inf', -0.0]]`,
    `'s'::UNION(num INTEGER, str VARCHAR)`,
    `'{"a": 1}'::JSON`,
    `'\\xAA\\x00'::BLOB`,
    `'a' || chr(0) || 'b'`,
    `''`,
    `MAP {}::MAP(VARCHAR, INTEGER)`,
    `NULL::STRUCT(a INTEGER)`,
  ])('%s', async (value) => {
    await connection.run(sql`CREATE TABLE kept AS SELECT ${raw(value)} AS "the v"`);
    const [described] = await connection.rows(sql`DESCRIBE kept`);
    const columns = [{ name: 'the v', type: String(described?.['column_type']) }];
    const file = await state.data('v', sql`SELECT ${storedColumns(columns)} FROM kept`);
    const segments: Segment[] = [whole(file), added({ key: ['the v'], file })];
    await restoreTable(connection, ident('t'), { name: 't', columns, rows: 1, segments }, folder);
    const [same] = await connection.rows(sql`SELECT t."the v" IS NOT DISTINCT FROM kept."the v" AS value,
      typeof(t."the v") = typeof(kept."the v") AS type, t."the v"::VARCHAR IS NOT DISTINCT FROM kept."the v"::VARCHAR AS text FROM t, kept`);
    expect(same).toEqual({ value: true, type: true, text: true });
  });
});
