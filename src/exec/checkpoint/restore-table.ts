import { join as joinPath } from 'node:path';
import { StreamsqlError } from '../../base/errors.ts';
import type { Column } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { DuckConnection } from '../duck.ts';
import type { FileReference, Segment, TableState } from './manifest.ts';

/** What a restore needs of a connection. */
export type Restoring = Pick<DuckConnection, 'run' | 'rows'>;

/**
 * Makes the table `target` and fills it with what the segments say, one after another. Their files are taken as they
 * are: see `verifyFiles`. What a Parquet file holds as another type (see `storedColumns`) is cast to the table's. Gives the
 * row number that DuckDB will give the table's next row: what was taken away again had one too.
 */
export async function restoreTable(
  connection: Restoring,
  target: Sql,
  { columns, segments }: TableState,
  folder: string,
): Promise<number> {
  const definitions = columns.map(({ name, type }) => sql`${ident(name)} ${raw(type)}`);
  await connection.run(sql`CREATE TABLE ${target} (${join(definitions)})`);
  const table = { connection, target, columns, folder };
  // What came before a whole one is not in the table.
  const first = segments.findLastIndex(({ kind }) => kind === 'whole');
  let next = 0;
  for (const segment of segments.slice(Math.max(0, first))) next += await apply(table, segment);
  return next;
}

interface Target {
  readonly connection: Restoring;
  readonly target: Sql;
  readonly columns: readonly Column[];
  readonly folder: string;
}

/** How many rows it added. */
async function apply(table: Target, { conditions = [], gone, key, file }: Segment): Promise<number> {
  const { connection, target } = table;
  if (conditions.length > 0) {
    const any = join(
      conditions.map((condition) => sql`(${raw(condition)})`),
      ' OR ',
    );
    await connection.run(sql`DELETE FROM ${target} WHERE ${any}`);
  }
  if (gone !== undefined) await removeLike(table, gone, await columnsIn(table, gone));
  if (file === undefined) return 0;
  if (key !== undefined) await removeLike(table, file, columnsNamed(table, key));
  return connection.run(sql`INSERT INTO ${target} BY NAME ${loaded(table, file, await columnsIn(table, file))}`);
}

/** Deletes the rows that are the same as one of the file's in all of `columns`; with no columns every row is, if the file has one. */
async function removeLike(table: Target, file: FileReference, columns: readonly Column[]): Promise<void> {
  const { connection, target } = table;
  const same = columns.map(({ name }) => sql`${ident('f', name)} IS NOT DISTINCT FROM ${ident('t', name)}`);
  const rows = sql`SELECT 1 FROM (${loaded(table, file, columns)}) AS f`;
  const where = same.length === 0 ? rows : sql`${rows} WHERE ${join(same, ' AND ')}`;
  await connection.run(sql`DELETE FROM ${target} AS t WHERE EXISTS (${where})`);
}

/** The rows of a file, with the table's own types. */
function loaded({ folder }: Target, file: FileReference, columns: readonly Column[]): Sql {
  const list = columns.map(({ name, type }) => sql`CAST(${ident(name)} AS ${raw(type)}) AS ${ident(name)}`);
  return sql`SELECT ${list.length === 0 ? raw('1') : join(list)} FROM ${parquet(folder, file)}`;
}

async function columnsIn(table: Target, file: FileReference): Promise<readonly Column[]> {
  const described = await table.connection.rows(sql`DESCRIBE FROM ${parquet(table.folder, file)}`);
  return columnsNamed(
    table,
    described.map((row) => String(row['column_name'])),
  );
}

function columnsNamed({ columns }: Target, names: readonly string[]): readonly Column[] {
  return names.map((name) => {
    const column = columns.find((known) => known.name === name);
    if (column === undefined) throw new StreamsqlError('STATE', `a segment has the column ${name}, its table has not`);
    return column;
  });
}

const parquet = (folder: string, { path }: FileReference): Sql =>
  sql`read_parquet(${noPattern(joinPath(folder, path))})`;

/** A path as DuckDB's readers take it: what would be a pattern in it is escaped. */
export const noPattern = (path: string): string => path.replace(/[[\]*?]/g, '[$&]');
