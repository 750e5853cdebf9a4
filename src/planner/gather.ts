import { ident, raw } from '../base/sql.ts';
import { columnRef, type Expression } from './ast.ts';
import { checkExpression } from './check.ts';
import { newDemand, type QueryContext, type Relational } from './context.ts';
import type { From } from './from.ts';
import type { PlanNode, StaticNode } from './plan.ts';
import { Scope, type Relation } from './scope.ts';
import { selectNode } from './select-node.ts';

/** One node in place of a whole FROM clause, and which of its columns each column of the user's relations is. */
export interface Gathered {
  readonly node: PlanNode;
  readonly relations: readonly { readonly relation: Relation; readonly names: readonly (string | undefined)[] }[];
}

/** Which columns anything asks for; undefined: all of them. */
export type Mentioned = ReadonlySet<string> | undefined;

/** A FROM clause and conditions on it as one node: the relation itself where it is nothing more. */
export async function gather(
  context: QueryContext,
  from: From,
  conditions: readonly Expression[],
  mentioned: Mentioned,
): Promise<Gathered> {
  const visible = from.scope.relations.filter((relation) => relation.hidden !== true);
  const physical = from.scope.relations.filter((relation) => relation.input !== undefined);
  const [only] = physical;
  if (
    conditions.length === 0 &&
    from.conditions.length === 0 &&
    !from.opaque &&
    physical.length === 1 &&
    only?.input !== undefined
  ) {
    const node = only.input.node;
    return { node, relations: visible.map((relation) => ({ relation, names: namesIn(relation) })) };
  }
  const items: { name: string; expression: Expression }[] = [];
  const relations = visible.map((relation) => ({
    relation,
    names: relation.columns.map((column) => {
      const wanted =
        mentioned === undefined ||
        relation.qualifiedOnly === true ||
        mentioned.has(column.name.toLowerCase()) ||
        mentioned.has(relation.alias.toLowerCase());
      if (!wanted) return undefined;
      const name = `$c${items.length}`;
      items.push({ name, expression: from.scope.qualify(columnRef(relation.alias, column.name)) });
      return name;
    }),
  }));
  if (items.length === 0) items.push({ name: '$c0', expression: ONE });
  const all = [...from.conditions, ...conditions].map((condition) => from.scope.qualify(condition));
  all.forEach((condition) => checkExpression(context, condition));
  const block = { context, from, items, conditions: all, groups: [], having: undefined, qualify: undefined };
  const streaming = physical.some((relation) => relation.input?.node.kind !== 'static');
  if (!streaming) return { node: await staticNode(context, from, items, all), relations };
  return { node: await selectNode(block, items, 'rows'), relations };
}

async function staticNode(
  context: QueryContext,
  from: From,
  items: readonly { name: string; expression: Expression }[],
  conditions: readonly Expression[],
): Promise<StaticNode> {
  const print = (expression: Expression): Promise<string> => context.service.print({ ...expression, alias: '' });
  const list = await Promise.all(
    items.map(async (item) => `${await print(item.expression)} AS ${ident(item.name).text}`),
  );
  const where = await Promise.all(conditions.map(print));
  let text = from.sql;
  for (const { input } of from.scope.relations) {
    if (input?.node.kind === 'static')
      text = text.replace(
        ident(input.placeholder).text,
        () => `(${input.node.kind === 'static' ? input.node.sql : ''})`,
      );
  }
  const sql = `SELECT ${list.join(', ')} FROM ${text}${where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`}`;
  const id = context.nextId('static');
  const columns = await context.service.describe(raw(sql));
  await context.service.declare(id, columns);
  return { kind: 'static', id, columns, appendOnly: true, demand: newDemand(), sql };
}

const namesIn = (relation: Relation): readonly (string | undefined)[] =>
  relation.within?.names ?? relation.columns.map((_, i) => relation.input?.node.columns[i]?.name);

/** The user's relations as parts of the one relation that stands in their place. */
export function standIn(gathered: Gathered, alias: string, placeholder: string): readonly Relation[] {
  const { node } = gathered;
  const physical: Relation = {
    alias,
    columns: node.columns,
    input: { placeholder, node },
    merged: new Set(),
    hidden: true,
  };
  return [...gathered.relations.map(({ relation, names }) => within(relation, physical, names)), physical];
}

/** A relation of which another holds the columns, with the time attributes that they have there. */
export function within(relation: Relation, physical: Relation, names: readonly (string | undefined)[]): Relation {
  const columns = relation.columns.map((column, i) => {
    const { time: _old, ...plain } = column;
    const time = physical.columns.find((candidate) => candidate.name === names[i])?.time;
    return time === undefined ? plain : { ...plain, time };
  });
  return { ...relation, columns, input: undefined, within: { relation: physical, names } };
}

/** A FROM clause of one node. */
export function fromOf(context: QueryContext, gathered: Gathered): From {
  const [alias, placeholder] = [context.nextId('$s'), context.nextId('$in')];
  return {
    scope: new Scope(standIn(gathered, alias, placeholder)),
    sql: `${ident(placeholder).text} AS ${ident(alias).text}`,
    conditions: [],
    opaque: false,
  };
}

/** The relation with its columns under the names that the query sees, where those are others than the node's. */
export async function renamed(context: QueryContext, relational: Relational): Promise<Relational> {
  const { node, columns } = relational;
  if (columns.every((column, i) => column.name === node.columns[i]?.name)) return relational;
  const relation: Relation = { alias: '$r', columns, input: undefined, merged: new Set() };
  const from = fromOf(context, { node, relations: [{ relation, names: node.columns.map((column) => column.name) }] });
  const items = columns.map(({ name }) => ({ name, expression: from.scope.qualify(columnRef('$r', name)) }));
  const block = { context, from, items, conditions: [], groups: [], having: undefined, qualify: undefined };
  const made = await selectNode(block, items, 'select');
  return { node: made, columns: made.columns };
}

const ONE: Expression = {
  class: 'CONSTANT',
  type: 'VALUE_CONSTANT',
  alias: '',
  query_location: 0,
  value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 1 },
};
