import { ident } from '../base/sql.ts';
import { columnPath, expressions, isNode, nodes, text, type AstNode } from './ast.ts';
import { cell, cogroupNode } from './cogroup-node.ts';
import { refuse, refuseWord, type QueryContext, type Relational } from './context.ts';
import { distinctNode } from './distinct.ts';
import type { FromEnvironment } from './from-part.ts';
import { readModifiers } from './modifiers.ts';
import { topN } from './top-n.ts';
import { commonColumns, commonTime, unionAll } from './union-node.ts';
import { compileWhole } from './whole.ts';

/** UNION, EXCEPT and INTERSECT, with and without ALL, and what stands around them. */
export async function setOperation(
  context: QueryContext,
  environment: FromEnvironment,
  node: AstNode,
): Promise<Relational> {
  const modifiers = readModifiers(context, node);
  const kind = text(node['setop_type']);
  const all = node['setop_all'] === true;
  const sides = isNode(node['left']) && isNode(node['right']) ? [node['left'], node['right']] : nodes(node['children']);
  const inputs: Relational[] = [];
  for (const side of sides) inputs.push(await environment.compileQuery(side));
  if (inputs.every((input) => input.node.kind === 'static')) return compileWhole(context, environment, node);
  const combined = await combine(context, node, kind, all, inputs);
  const orders = modifiers.orders.map((order) => ({
    column: orderColumn(context, combined, order.expression),
    direction: order.direction,
  }));
  return topN(context, combined, modifiers, orders, []);
}

function combine(
  context: QueryContext,
  node: AstNode,
  kind: string,
  all: boolean,
  inputs: readonly Relational[],
): Promise<Relational> {
  switch (kind) {
    case 'UNION':
      return unionAll(context, inputs).then((made) => (all ? made : distinctNode(context, made)));
    case 'EXCEPT':
    case 'INTERSECT':
      return comparing(context, node, `${kind}${all ? ' ALL' : ''}`, inputs);
    default:
      throw refuseWord(context, node, 'UNION', `${kind.replaceAll('_', ' ')} is not supported`, 'name the columns, in the same order on both sides'); // prettier-ignore
  }
}

/** EXCEPT and INTERSECT: rows that are equal are one group, told by all of their columns. */
async function comparing(
  context: QueryContext,
  node: AstNode,
  operation: string,
  inputs: readonly Relational[],
): Promise<Relational> {
  const columns = await commonColumns(context, inputs);
  const sides = inputs.map((input) => ({
    placeholder: context.nextId('$in'),
    node: input.node,
    uses: [],
    keys: columns.map((column, i) => `CAST(${ident(input.node.columns[i]?.name ?? '').text} AS ${column.type})`),
  }));
  const keys = columns.map((_, i) => ident(`$k${i}`).text);
  const branches = sides.map((side) => `SELECT ${keys.join(', ')} FROM ${ident(side.placeholder).text}`);
  const visible = columns.map((column, i) => `${cell('$q', `$k${i}`)} AS ${ident(column.name).text}`);
  return cogroupNode(context, {
    title: operation.toLowerCase(),
    inputs: sides,
    body: `SELECT ${[...visible, ...keys].join(', ')} FROM (${branches.join(` ${operation} `)}) AS "$q"`,
    keyTimes: columns.map((_, i) => commonTime(inputs, i, undefined)),
    keyOutputs: new Map(columns.map((column, i) => [column.name, i])),
    at: node,
  });
}

/** The ORDER BY of a set operation names its columns, or their positions. */
function orderColumn(context: QueryContext, combined: Relational, expression: AstNode): string {
  const path = columnPath(expression);
  const value = isNode(expression['value']) ? expression['value']['value'] : undefined;
  const at =
    typeof value === 'number'
      ? value - 1
      : combined.columns.findIndex((column) => column.name.toLowerCase() === path.at(-1)?.toLowerCase());
  const column = combined.node.columns[at];
  if (column === undefined || expressions([expression]).length === 0)
    throw refuse(context, expression, 'the ORDER BY of a set operation takes its columns, by name or position');
  return column.name;
}
