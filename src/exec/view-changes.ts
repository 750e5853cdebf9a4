import type { ResultTable } from '../base/run.ts';
import { ident, join, sql, type Sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';
import { AggregateOperator } from './operators/aggregate.ts';
import type { ViewTable } from './view-table.ts';
import { consolidated } from './weights.ts';
import { micros } from './windows.ts';

/** So many changes of an epoch are shown to who looks on. */
const SEEN_ROWS = 1000;

/** What an epoch changes in a view whose table it has not reached yet: rows after an `op`, + or -. */
export async function viewChanges(connection: DuckConnection, table: ViewTable): Promise<ResultTable> {
  const { view, operator } = table;
  const own = (from: string): Sql =>
    join(view.columns.map((column, i) => sql`${ident(from, view.node.columns[i]?.name ?? '')} AS ${ident(column.name)}`)); // prettier-ignore
  let changes: Sql;
  if (!table.live || !(operator instanceof AggregateOperator)) {
    const weight = view.node.appendOnly ? sql`1` : sql`d."$n"`;
    changes = sql`SELECT ${own('d')}, ${weight} AS "$n" FROM ${operator.delta(false)} AS d`;
  } else {
    const delta = operator.upserts();
    const matches = table.keys.map(({ column, delta: key, shift }) =>
      key === '$w'
        ? sql`${ident('t', column)} = ${ident('d', key)} + ${micros(shift)}`
        : sql`${ident('t', column)} IS NOT DISTINCT FROM ${ident('d', key)}`,
    );
    const names = join(view.columns.map(({ name }) => ident('t', name)));
    const touched =
      matches.length === 0 ? sql`` : sql` WHERE EXISTS (FROM ${delta} AS d WHERE ${join(matches, ' AND ')})`;
    changes = sql`SELECT ${own('d')}, 1 AS "$n" FROM ${delta} AS d WHERE d."$keep" UNION ALL SELECT ${names}, -1 FROM ${table.table} AS t${touched}`;
  }
  const names = join(view.columns.map(({ name }) => ident(name)));
  return connection.table(
    sql`SELECT CASE WHEN "$n" > 0 THEN '+' ELSE '-' END AS op, ${names} FROM (${consolidated(sql`(${changes})`, view.columns)}) ORDER BY ${names}, "$n" LIMIT ${SEEN_ROWS}`,
  );
}
