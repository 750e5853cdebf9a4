import { expect, it } from 'vitest';
import { raw, sql } from '../src/base/sql.ts';
import { Duck } from '../src/exec/duck.ts';
import { keepOffsets, meta, metaTables } from '../src/exec/results-schema.ts';

it('where a partition stands is known, also when the epochs that read it have been let go', async () => {
  const duck = await Duck.open(':memory:', { threads: '1' });
  const connection = await duck.connect();
  await connection.run(sql`ATTACH ':memory:' AS res`);
  await connection.run(sql`CREATE SCHEMA ${raw('res._streamsql')}`);
  await connection.run(sql`USE res`);
  for (const statement of metaTables(meta)) await connection.run(statement);
  await connection.run(raw("INSERT INTO _streamsql.sources (name) VALUES ('a'), ('b')"));
  const read = (epoch: number, ...ranges: readonly string[]): Promise<number> =>
    connection.run(
      raw(`INSERT INTO _streamsql.epochs BY NAME SELECT ${epoch} AS epoch, [${ranges.map((range) => `{${range}}`).join(', ')}] AS ranges`),
    ); // prettier-ignore
  const range = (source: string, partition: number, from: number, to: number): string =>
    `'source': '${source}', 'partition': 'p${partition}', 'from': ${from}::BIGINT, 'to': ${to}::BIGINT, 'records': 1::BIGINT, 'crc32': NULL::UINTEGER, 'bytes': NULL::BIGINT`;
  const letGo = async (upTo: number): Promise<void> => {
    await connection.run(keepOffsets(upTo));
    await connection.run(raw(`DELETE FROM _streamsql.epochs WHERE epoch <= ${upTo}`));
  };
  const offsets = async (): Promise<unknown> => (await connection.table(raw('FROM _streamsql.offsets'))).rows;

  await read(0, range('a', 0, 0, 5), range('b', 0, 0, 2));
  await read(1, range('a', 0, 5, 9), range('gone', 0, 0, 4));
  await read(2, range('a', 1, 0, 3));
  // A file that was cut short begins anew: what came last counts, and not what is most.
  await read(3, range('a', 0, 0, 1));
  const all = [['a', 'p0', '1'], ['a', 'p1', '3'], ['b', 'p0', '2']]; // prettier-ignore
  expect(await offsets()).toEqual(all);
  for (const upTo of [0, 2, 3]) {
    await letGo(upTo);
    expect(await offsets()).toEqual(all);
  }
  connection.close();
  duck.close();
});
