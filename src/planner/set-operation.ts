import { ident, raw } from '../base/sql.ts';
import type { Column } from '../base/schema.ts';
import { columnPath, expressions, isNode, nodes, text, type AstNode } from './ast.ts';
import { cell, cogroupNode } from './cogroup-node.ts';
import { newDemand, refuse, refuseWord, type QueryContext, type Relational } from './context.ts';
import { distinctNode } from './distinct.ts';
import type { FromEnvironment } from './from.ts';
import { readModifiers } from './modifiers.ts';
import type { PlanColumn, UnionNode } from './plan.ts';
import { topN } from './top-n.ts';
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

/** What the sides' rows become together: DuckDB's common types. */
async function commonColumns(context: QueryContext, inputs: readonly Relational[]): Promise<readonly Column[]> {
  const branches = inputs.map(
    (input) =>
      `SELECT ${input.columns.map((_, i) => ident(input.node.columns[i]?.name ?? '').text).join(', ')} FROM plan.${ident(input.node.id).text}`,
  );
  const described = await context.service.describe(raw(branches.join(' UNION ALL ')));
  return described.map((column, i) => ({ ...column, name: inputs[0]?.columns[i]?.name ?? column.name }));
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

/** A time attribute that all the sides' columns have; `window` names it where each is a window's. */
function commonTime(inputs: readonly Relational[], i: number, window: string | undefined): PlanColumn['time'] {
  const times = inputs.map((input) => input.node.columns[i]?.time);
  const [first] = times;
  if (first === undefined || times.some((time) => time?.clock !== first.clock)) return undefined;
  const after = times.reduce(
    (most, time) => (time !== undefined && time.after > most ? time.after : most),
    first.after,
  );
  const windowed = times.every((time) => time?.window !== undefined);
  return { after, clock: first.clock, window: windowed ? (window ?? first.window) : undefined };
}

/** UNION ALL of relations with as many columns, which are named as the first one's. */
export async function unionAll(context: QueryContext, inputs: readonly Relational[]): Promise<Relational> {
  const described = await commonColumns(context, inputs);
  const columns: PlanColumn[] = described.map((column, i) => {
    const time = commonTime(inputs, i, undefined);
    return time === undefined ? column : { ...column, time: { ...time, window: time.window === undefined ? undefined : context.nextId('window') } }; // prettier-ignore
  });
  const name = context.nextId('union');
  await context.service.declare(name, columns);
  const made: UnionNode = {
    kind: 'union',
    id: name,
    columns,
    appendOnly: inputs.every((input) => input.node.appendOnly),
    demand: newDemand(),
    inputs: inputs.map((input) => input.node),
  };
  return { node: made, columns };
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
