import { HIDDEN, type Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import { tellingApart } from './same-row.ts';

/** SQL of multisets: rows with a weight, `$n`. */

export const WEIGHT = ident(HIDDEN.weight);

/** What rows are grouped by to be the same. */
const sameness = (columns: readonly Column[]): readonly Sql[] => [
  ...columns.map((column) => ident(column.name)),
  ...tellingApart(columns),
];

/** Each distinct row once, with the sum of its weights; those of weight 0 are gone. */
export function consolidated(relation: Sql, columns: readonly Column[]): Sql {
  const names = columns.map((column) => ident(column.name));
  return sql`SELECT ${join([...names, sql`CAST(sum(${WEIGHT}) AS BIGINT) AS ${WEIGHT}`])} FROM ${relation} GROUP BY ${join(sameness(columns))} HAVING sum(${WEIGHT}) <> 0`;
}

/** Each row as often as its weight says. */
export function expanded(relation: Sql, columns: readonly Column[]): Sql {
  const names = join(columns.map((column) => ident(column.name)));
  return sql`SELECT ${names} FROM (SELECT ${names}, unnest(range(${WEIGHT})) AS "$u" FROM (${consolidated(relation, columns)}))`;
}

/** `a.k IS NOT DISTINCT FROM b.k AND …`; true where there is no key. */
export function sameKey(a: string, b: string, keys: readonly string[]): Sql {
  if (keys.length === 0) return raw('true');
  return join(
    keys.map((name) => sql`${ident(a, name)} IS NOT DISTINCT FROM ${ident(b, name)}`),
    ' AND ',
  );
}
