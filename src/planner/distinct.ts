import { compileAggregate } from './aggregate.ts';
import { columnRef } from './ast.ts';
import type { QueryContext, Relational } from './context.ts';
import { fromOf } from './gather.ts';

/** DISTINCT: GROUP BY all the columns. */
export async function distinctNode(context: QueryContext, relational: Relational): Promise<Relational> {
  const { node } = relational;
  const relation = { alias: '$d', columns: node.columns, input: undefined, merged: new Set<string>() };
  const from = fromOf(context, { node, relations: [{ relation, names: node.columns.map((column) => column.name) }] });
  const items = relational.columns.map((column, i) => ({
    name: node.columns[i]?.name ?? column.name,
    expression: from.scope.qualify(columnRef('$d', node.columns[i]?.name ?? column.name)),
  }));
  const groups = items.map((item) => item.expression);
  const grouped = await compileAggregate(
    { context, from, items, conditions: [], groups, having: undefined, qualify: undefined },
    false,
  );
  return {
    node: grouped.node,
    columns: grouped.node.columns.map((column, i) => ({ ...column, name: relational.columns[i]?.name ?? column.name })),
  };
}
