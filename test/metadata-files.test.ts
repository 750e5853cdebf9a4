import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sql } from '../src/base/sql.ts';
import { open } from '../src/engine.ts';
import { Duck } from '../src/exec/duck.ts';

describe('the metadata of files', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'metadata-files-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  const source = (pattern: string): string => `CREATE SOURCE s (n INT, path VARCHAR METADATA FROM 'file.path', "file.name" VARCHAR METADATA, row BIGINT METADATA FROM 'offset', tenth AS row // 10)
    WITH (connector = 'file', path = '${join(folder, pattern)}');`; // prettier-ignore
  const view = (name: string): string =>
    `CREATE MATERIALIZED VIEW ${name} AS SELECT n, path, "file.name" AS file, row::INT AS row, tenth::INT AS tenth FROM s;`;
  const expected = (file: string, rows: readonly (readonly [n: number, row: number])[]): unknown[] =>
    rows.map(([n, row]) => [n, join(folder, file), file, row, Math.floor(row / 10)]);

  it('are the same in every format, bad records counted', async () => {
    writeFileSync(join(folder, 'a.json'), '{"n":0}\n\n{"n":"x"}\n{"n":2}');
    writeFileSync(join(folder, 'b.csv'), 'n,m\n0,1\nx,1\n2,1\n');
    const duck = await Duck.open(':memory:');
    const connection = await duck.connect();
    const parquet = join(folder, 'c.parquet');
    await connection.run(sql`COPY (SELECT CAST(unnest([0, NULL, 2]) AS INT) AS n) TO ${parquet} (FORMAT parquet)`);
    connection.close();
    duck.close();
    const engine = await open({ cwd: folder });
    try {
      const files = ['a.json', 'b.csv', 'c.parquet'];
      for (const [i, file] of files.entries())
        await engine.sql(source(file).replace(' s (', ` s${i} (`) + view(`v${i}`).replace('FROM s', `FROM s${i}`));
      await engine.run();
      for (const [i, file] of files.entries())
        expect((await engine.query(`FROM v${i} WHERE n IS NOT NULL ORDER BY n`)).rows).toEqual(expected(file, [[0, 0], [2, 2]]));
    } finally {
      await engine.close();
    }
  }); // prettier-ignore

  it('are the same after a run that goes on, and for a view that is added', async () => {
    for (const [file, from] of [['a.json', 0], ['b.json', 100]] as const)
      writeFileSync(join(folder, file), numbers(from, from + 100).map((n) => `{"n":${n}}\n`).join('')); // prettier-ignore
    const options = {
      state: join(folder, 'state'),
      db: join(folder, 'db.duckdb'),
      maxBatchRows: 30,
      batchIntervalMs: 0,
    };
    const all = [
      ...expected('a.json', numbers(0, 100).map((n) => [n, n] as const)),
      ...expected('b.json', numbers(0, 100).map((n) => [n + 100, n] as const)),
    ]; // prettier-ignore
    const first = await open(options);
    await first.sql(source('*.json') + view('before'));
    await first.run({ stopAfter: { rows: 70 } });
    await first.close();
    const second = await open(options);
    try {
      await second.sql(source('*.json') + view('before') + view('added'));
      await second.run();
      for (const name of ['before', 'added']) expect((await second.query(`FROM ${name} ORDER BY n`)).rows).toEqual(all);
    } finally {
      await second.close();
    }
  });
});
