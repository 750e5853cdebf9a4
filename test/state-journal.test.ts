import { afterEach, beforeEach, expect, it } from 'vitest';
import { ident, sql } from '../src/base/sql.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { Session } from '../src/exec/session.ts';
import { StateTable } from '../src/exec/state.ts';

/** More than a table that is always written whole. */
const MANY = 30_000;

let duck: Duck;
let connection: DuckConnection;
beforeEach(async () => {
  duck = await Duck.open(':memory:');
  connection = await duck.connect();
  for (const schema of ['state', 'delta']) await connection.run(sql`CREATE SCHEMA ${ident(schema)}`);
});
afterEach(() => duck.close());

it('a table that was restored with gaps gives the next checkpoint what came since, and nothing else', async () => {
  const table = new StateTable(new Session(connection), 'n1', 'rows');
  await table.create(sql`SELECT 1::BIGINT AS i`);
  // As a restore fills it: all that was written, then what went of it.
  await connection.run(sql`INSERT INTO ${table.name} SELECT range FROM range(${2 * MANY})`);
  await connection.run(sql`DELETE FROM ${table.name} WHERE i < ${MANY}`);
  table.restored(MANY, 2, 2 * MANY);
  for (const value of [-1, -2]) {
    await table.append(sql`SELECT ${value}`);
    const { whole, added } = table.pin();
    expect(whole).toBe(false);
    expect(await connection.rows(added ?? sql``)).toEqual([{ i: BigInt(value) }]);
    table.written(3, 2 * MANY + 1);
  }
});
