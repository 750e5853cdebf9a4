import { StreamsqlError } from '../base/errors.ts';
import { ident, type Sql } from '../base/sql.ts';
import type { MaterializedView } from '../planner/plan.ts';
import { AggregateOperator } from './operators/aggregate.ts';
import type { Operator } from './operators/operator.ts';
import { rowsOf } from './results-schema.ts';

/** The key by which a live view's rows are found again. */
export interface ViewTable {
  readonly view: MaterializedView;
  readonly operator: Operator;
  /** The table that holds the rows: the view's own, or, where the keys are not among its columns, one beside it. */
  readonly table: Sql;
  readonly keys: readonly KeyColumn[];
  readonly live: boolean;
}

export interface KeyColumn {
  /** In the operator's delta. */
  readonly delta: string;
  /** In the view's table. */
  readonly column: string;
  /** What the table's column exceeds the delta's by (window_end and `$w`), microseconds. */
  readonly shift: bigint;
}

/** How an operator's output stands in the results database. */
export function viewTable(view: MaterializedView, operator: Operator): ViewTable {
  const live = operator instanceof AggregateOperator && !view.node.appendOnly;
  if (!live) return { view, operator, table: ident('res', 'main', view.name), keys: [], live };
  const keys = operator.sql.groupColumns.map((name) => keyColumn(view, operator, name));
  const beside = keys.some((key) => key.column.startsWith('$'));
  const table = beside ? rowsOf(view.name) : ident('res', 'main', view.name);
  return { view, operator, table, keys, live };
}

/** The view's own column that is the key, where there is one. */
function keyColumn(view: MaterializedView, operator: AggregateOperator, name: string): KeyColumn {
  const { node } = operator;
  for (const key of node.keys) {
    if (name === '$w' ? key.role === 'plain' || key.role === 'window_time' : key.name !== name) continue;
    const at = node.outputs.findIndex((output) => output.sql === ident(key.name).text);
    const column = view.columns[at];
    if (column === undefined) continue;
    return { delta: name, column: column.name, shift: key.role === 'window_end' ? (node.window?.size ?? 0n) : 0n };
  }
  return { delta: name, column: name, shift: 0n };
}

/** The type of a key in the operator's delta. */
export function keyType(operator: Operator, name: string): string {
  if (!(operator instanceof AggregateOperator)) throw new StreamsqlError('INTERNAL', `${name} is no key`);
  const { node } = operator;
  if (name === '$w') return node.window?.zoned === true ? 'TIMESTAMP WITH TIME ZONE' : 'TIMESTAMP';
  return node.keys.find((key) => key.name === name)?.type ?? 'VARCHAR';
}
