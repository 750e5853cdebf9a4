import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, spliced, sql, type Sql } from '../../base/sql.ts';
import { identityColumns } from '../../planner/demand.ts';
import type { BlockInput, SelectNode } from '../../planner/plan-select.ts';
import { streaming } from '../../planner/plan.ts';
import { LinearOperator } from './linear.ts';
import { LATENESS, type Explanation, type Operator, type OperatorContext } from './operator.ts';

/** filter, map, flatMap, join with a static table: one stream through a query block. Linear: Δout = op(Δin). */
export class SelectOperator extends LinearOperator {
  readonly node: SelectNode;

  constructor(context: OperatorContext, node: SelectNode) {
    super(context);
    this.node = node;
  }

  protected inputs(): readonly Operator[] {
    return streaming(this.node).map((input) => this.context.operator(input.node));
  }

  protected select(withLateness: boolean): Sql {
    const relations = new Map(
      this.node.inputs.map((input) => [input.placeholder, this.context.operator(input.node).delta(withLateness)]),
    );
    return blockSql(this.node, relations, withLateness);
  }

  protected describe(): Pick<Explanation, 'title' | 'law'> {
    return { title: this.node.where === undefined ? 'map' : 'filter, map', law: 'Δout = op(Δin)' };
  }
}

/**
 * The block over the given relations: the user's own FROM and WHERE, its projection, then the identity and lateness
 * columns of the rows that it is made from.
 */
export function blockSql(node: SelectNode, relations: ReadonlyMap<string, Sql>, withLateness: boolean): Sql {
  const projection = node.projection.map((item) => sql`${raw(item.sql)} AS ${ident(item.name)}`);
  const streams = streaming(node);
  if (node.demand.identity) {
    const parts = streams.flatMap((input) => identityColumns(input.node).map((name) => ident(input.alias, name)));
    projection.push(...parts.map((part, i) => sql`${part} AS ${ident(`$i${i}`)}`));
  }
  const changing = streams.filter((input) => !input.node.appendOnly).map((input) => ident(input.alias, HIDDEN.weight));
  if (changing.length > 0) projection.push(sql`${join(changing, ' * ')} AS ${ident(HIDDEN.weight)}`);
  const [only] = streams;
  if (withLateness && only !== undefined && streams.length === 1) {
    projection.push(...Object.values(LATENESS).map((name) => sql`${ident(only.alias, name)} AS ${ident(name)}`));
  }
  const where = node.where === undefined ? sql`` : sql` WHERE ${raw(node.where)}`;
  let from = node.from;
  for (const [placeholder, relation] of relations) from = spliced(from, placeholder, relation.text);
  return sql`SELECT ${join(projection)} FROM ${raw(from)}${where}`;
}

/** An input of a join as it is kept: the columns that the block reads, filtered. */
export function keptRows(input: BlockInput, columns: readonly string[], from: Sql, extra: Sql | undefined): Sql {
  const conditions = [
    ...(input.filter === undefined ? [] : [raw(input.filter)]),
    ...(extra === undefined ? [] : [extra]),
  ];
  const where = conditions.length === 0 ? sql`` : sql` WHERE ${join(conditions, ' AND ')}`;
  const weight = input.node.appendOnly ? [] : [ident(HIDDEN.weight)];
  const list = join([...(columns.length === 0 ? [raw('1 AS "$one"')] : columns.map((name) => ident(name))), ...weight]);
  return sql`SELECT ${list} FROM ${from} AS ${ident(input.alias)}${where}`;
}
