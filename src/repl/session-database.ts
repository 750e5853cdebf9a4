import type { Declared, ReadPart, ResultTable } from '../base/run.ts';
import { sql, type Sql } from '../base/sql.ts';

/** Where a session on a database keeps what it has declared, and where its run has its state. */
export const sessionFile = (db: string): string => `${stemOf(db)}.session.sql`;
export const stateFolder = (db: string): string => `${stemOf(db)}.state`;

const stemOf = (db: string): string => db.replace(/\.[^./\\]*$/, '');

export const setZone = (zone: string): Sql => sql`SET TimeZone = ${zone}`;

/** The columns of all that is in the database. */
export const FOUND = `SELECT table_name, column_name, data_type FROM duckdb_columns()
  WHERE NOT internal AND schema_name = 'main' AND database_name = current_database() ORDER BY table_name, column_index`;

/** What those rows say, but for what is declared. */
export function foundBeside({ rows }: ResultTable, declared: readonly Declared[]): readonly Declared[] {
  const own = new Set(declared.map(({ name }) => name.toLowerCase()));
  const names = new Map<string, { readonly name: string; readonly type: string }[]>();
  for (const [name, column, type] of rows.map((row) => row.map(String))) {
    if (name === undefined || own.has(name.toLowerCase())) continue;
    names.set(name, [...(names.get(name) ?? []), { name: column ?? '', type: type ?? '' }]);
  }
  return [...names].map(([name, columns]) => ({ name, kind: 'table', columns, sources: [] }));
}

/** The rows of the first statement, as far as they are wanted. */
export async function headOf(parts: AsyncIterable<ReadPart>, atLeast: number): Promise<ResultTable> {
  let columns: ResultTable['columns'] = [];
  const rows: ResultTable['rows'][number][] = [];
  for await (const part of parts) {
    if ('columns' in part) ({ columns } = part);
    else if ('rows' in part) for (const row of part.rows) rows.push(row);
    if (rows.length >= atLeast) break;
  }
  return { columns, rows };
}
