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
 * row number that DuckDB will give the table's next row.
 *
 * Nothing is written that a later segment takes away: of each segment are added the rows that those after it leave.
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
  const last = segments.slice(
    Math.max(
      0,
      segments.findLastIndex(({ kind }) => kind === 'whole'),
    ),
  );
  const takers = await takersOf(table, last);
  let next = 0;
  for (const [i, segment] of last.entries()) next += await add(table, segment, last.slice(i + 1), leaves(takers, i));
  for (const { values } of takers) await connection.run(sql`DROP TABLE ${values}`);
  return next;
}

interface Target {
  readonly connection: Restoring;
  readonly target: Sql;
  readonly columns: readonly Column[];
  readonly folder: string;
}

/** Values of some columns by which segments take rows away, each with the last segment that does. */
interface Taker {
  readonly columns: readonly Column[];
  readonly values: Sql;
}

const SEGMENT = ident('$segment');

async function takersOf(table: Target, segments: readonly Segment[]): Promise<readonly Taker[]> {
  const found = new Map<string, { columns: readonly Column[]; parts: Sql[] }>();
  for (const [i, { gone, key, file }] of segments.entries()) {
    const sets = [
      ...(gone === undefined ? [] : [{ from: gone, columns: await columnsIn(table, gone) }]),
      ...(key === undefined || file === undefined ? [] : [{ from: file, columns: columnsNamed(table, key) }]),
    ];
    for (const { from, columns } of sets) {
      const id = JSON.stringify(columns);
      const set = found.get(id) ?? { columns, parts: [] };
      set.parts.push(sql`SELECT *, ${i} AS ${SEGMENT} FROM (${loaded(table, from, columns)})`);
      found.set(id, set);
    }
  }
  const takers: Taker[] = [];
  for (const { columns, parts } of found.values()) {
    const values = ident('temp', 'main', `$taken ${takers.length}`);
    const names = columns.map(({ name }) => ident(name));
    const list = join([...names, sql`max(${SEGMENT}) AS ${SEGMENT}`]);
    const groups = names.length === 0 ? sql`` : sql` GROUP BY ${join(names)}`;
    await table.connection.run(
      sql`CREATE OR REPLACE TEMP TABLE ${ident(`$taken ${takers.length}`)} AS SELECT ${list} FROM (${join(parts, ' UNION ALL ')})${groups}`,
    );
    takers.push({ columns, values });
  }
  return takers;
}

/** Whether the later segments leave a row `t` of a segment. */
function leaves(takers: readonly Taker[], segment: number): readonly Sql[] {
  return takers.map(({ columns, values }) => {
    const same = columns.map(({ name }) => sql`${ident('g', name)} IS NOT DISTINCT FROM ${ident('t', name)}`);
    return sql`NOT EXISTS (SELECT 1 FROM ${values} AS g WHERE ${join([...same, sql`g.${SEGMENT} > ${segment}`], ' AND ')})`;
  });
}

/** How many rows it added. */
async function add(table: Target, { file }: Segment, later: readonly Segment[], left: readonly Sql[]): Promise<number> {
  if (file === undefined) return 0;
  const rows = loaded(table, file, await columnsIn(table, file));
  const cut = [...new Set(later.flatMap(({ conditions = [] }) => conditions))].map(
    (condition) => sql`(${raw(condition)})`,
  );
  const kept = [...left, ...(cut.length === 0 ? [] : [sql`(${join(cut, ' OR ')}) IS NOT TRUE`])];
  const where = kept.length === 0 ? sql`` : sql` WHERE ${join(kept, ' AND ')}`;
  return table.connection.run(sql`INSERT INTO ${table.target} BY NAME SELECT * FROM (${rows}) AS t${where}`);
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
