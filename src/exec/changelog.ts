import { HIDDEN, type Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import type { SinkTarget } from '../planner/plan.ts';
import { consolidated } from './weights.ts';

/** The rows that a sink is given of an epoch: its own columns, in a changelog after `op`, what goes before what comes. */
export function sinkRows({ node, columns, changelog }: SinkTarget, delta: Sql): Sql {
  const cells = columns.map((column, i) => cast(column, node.columns[i]?.name ?? ''));
  if (!changelog) return sql`SELECT ${join(cells)} FROM ${delta}`;
  if (node.appendOnly) return sql`SELECT ${join([raw("'+' AS op"), ...cells])} FROM ${delta}`;
  const weight = ident(HIDDEN.weight);
  const op = sql`CASE WHEN ${weight} > 0 THEN '+' ELSE '-' END AS op`;
  const order = join([sql`${weight} > 0`, ...node.columns.map((column) => ident(column.name))]);
  return sql`SELECT ${join([op, ...cells])} FROM (${consolidated(delta, node.columns)}), UNNEST(range(abs(${weight}))) ORDER BY ${order}`;
}

const cast = ({ name, type }: Column, from: string): Sql => sql`CAST(${ident(from)} AS ${raw(type)}) AS ${ident(name)}`;
