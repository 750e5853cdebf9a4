import { appendFileSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sql, type Sql } from '../../src/base/sql.ts';
import { Duck } from '../../src/exec/duck.ts';
import { differences } from './compare.ts';
import { readings, writeFiles } from './input.ts';
import { RESULTS, runToEnd } from './run.ts';
import { copySql, flags } from './workload.ts';

/** What the comparison is worth: it must see each row that is lost, there twice or another. */
let folder: string;
let [want, got] = ['', ''];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-crash-compare-'));
  [want, got] = [join(folder, 'want'), join(folder, 'got')];
  for (const each of [want, got]) {
    mkdirSync(each);
    writeFiles(join(each, 'in'), readings(3, 2_000));
    copySql('windows', each);
  }
  const command = { file: 'windows.sql', flags: flags(300, 200) };
  await runToEnd({ ...command, folder: want });
  // Cut otherwise, killed, and begun anew: an ordinary run of the same input.
  await runToEnd({ ...command, flags: flags(170, 200), folder: got }, [{ kind: 'kill', epochs: 2, ms: 5 }], { fresh: true }); // prettier-ignore
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The differences after a change to a copy of the second run's folder. */
async function after(tamper: (copy: string) => void | Promise<void>): Promise<string> {
  const copy = mkdtempSync(join(folder, 'copy-'));
  cpSync(got, copy, { recursive: true });
  await tamper(copy);
  return (await differences(want, copy)).join('\n');
}

const inDatabase =
  (statement: Sql) =>
  async (copy: string): Promise<void> => {
    const duck = await Duck.open(join(copy, RESULTS));
    const connection = await duck.connect();
    expect(await connection.run(statement)).toBeGreaterThan(0);
    connection.close();
    duck.close();
  };

const part = (copy: string, sink: string): string => {
  const folderOfSink = join(copy, 'out', sink);
  return join(folderOfSink, readdirSync(folderOfSink).findLast((name) => name.startsWith('part-')) ?? '');
};

it('finds two runs of one input equal, however they were cut', async () => {
  expect(await after(() => undefined)).toBe('');
});

const first = (table: Sql): Sql => sql`${table} WHERE rowid = (SELECT min(rowid) FROM ${table})`;

it.each<[what: string, statement: Sql, found: RegExp]>([
  ['a row of a view that is lost', sql`DELETE FROM ${first(sql`closed`)}`, /^closed: 1 rows missing[\s\S]*0 rows too many$/],
  ['a row that is there twice', sql`INSERT INTO closed SELECT * FROM ${first(sql`closed`)}`, /^closed: 0 rows missing\n {2}1 rows too many/],
  ['a value that is another', sql`UPDATE totals SET total = total + 1 WHERE sensor = 's3'`, /^totals: 1 rows missing[\s\S]*1 rows too many/],
  ['a late row that is lost', sql`DELETE FROM ${first(sql`_streamsql.late`)}`, /^_streamsql\.late: 1 rows missing/],
  ['a dead letter that is there twice', sql`INSERT INTO _streamsql.dead_letters SELECT * FROM ${first(sql`_streamsql.dead_letters`)}`, /^_streamsql\.dead_letters: 0 rows missing\n {2}1 rows too many/],
  ['an epoch that is lost', sql`DELETE FROM _streamsql.epochs WHERE epoch = 3`, /do not follow one another[\s\S]*rows read/],
  ['an epoch that is there twice', sql`INSERT INTO _streamsql.epochs SELECT * FROM _streamsql.epochs WHERE epoch = 3`, /do not follow one another/],
  ['a range that begins where the one before it did not end', sql`UPDATE _streamsql.epochs SET ranges = list_transform(ranges, lambda r: struct_update(r, "from" := r."from" + 1))`, /ranges that do not adjoin/],
])('sees %s', async (_, statement, found) => {
  expect(await after(inDatabase(statement))).toMatch(found);
}); // prettier-ignore

it.each([
  ['closed', 'json'],
  ['high', 'parquet'],
  ['totals', 'csv'],
])('sees a part of the sink %s that is there twice, or lost', async (sink, format) => {
  const twice = await after((copy) => copyFileSync(part(copy, sink), join(copy, 'out', sink, `part-9.${format}`)));
  expect(twice).toMatch(new RegExp(`^out/${sink}: .* rows (missing|too many)`));
  expect(await after((copy) => rmSync(part(copy, sink)))).toMatch(new RegExp(`^out/${sink}: [1-9]\\d* rows missing`));
});

it('sees a line of a part that is there twice, and what is left over', async () => {
  const line = '{"window_start":"2026-01-01 00:00:00","window_end":"2026-01-01 00:00:05","sensor":"s1","n":1,"total":1,"kind":"k1"}\n';
  expect(await after((copy) => appendFileSync(part(copy, 'closed'), line))).toMatch(/^out\/closed: 0 rows missing\n {2}1 rows too many/);
  expect(await after((copy) => appendFileSync(join(copy, 'out/closed/.part-1.json.tmp'), line))).toMatch(/left over/);
}); // prettier-ignore
