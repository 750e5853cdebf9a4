import {
  and, columnPath, columnRef, conjuncts, expressions, isExpression, isNode, nodes, replace, text, walk,
  type AstNode, type Expression, type Json,
} from './ast.ts'; // prettier-ignore
import type { QueryContext } from './context.ts';
import type { From, FromEnvironment } from './from-part.ts';
import { compileFrom } from './from.ts';
import { fromOf, gather, standIn, type Gathered, type Mentioned } from './gather.ts';
import { correlatedAggregate } from './correlated.ts';
import { matchNode } from './match-node.ts';
import { retain } from './retention.ts';
import { Scope } from './scope.ts';
import { NeedsWhole, uncorrelated } from './needs-whole.ts';
import { subqueriesIn } from './whole.ts';

/** A block whose subqueries have become joins: its FROM, and its tree without them. */
export interface Unnested {
  readonly from: From;
  readonly node: AstNode;
}

/**
 * Subqueries as joins: IN, EXISTS and their negations in WHERE become semi and anti joins, a scalar subquery that is one
 * aggregate over all of its input a cross join with that one row. Throws NeedsWhole for every other.
 */
export async function unnest(
  context: QueryContext,
  environment: FromEnvironment,
  from: From,
  node: AstNode,
  mentioned: Mentioned,
): Promise<Unnested> {
  if (subqueriesIn(node['from_table'] ?? null).length > 0) throw new NeedsWhole();
  const parts = ['select_list', 'where_clause', 'group_expressions', 'having', 'qualify', 'modifiers'];
  if (parts.every((part) => subqueriesIn(node[part] ?? null).length === 0)) return { from, node };
  const where = conjuncts(node['where_clause']);
  const [matching, others] = [where.filter(isMatching), where.filter((condition) => !isMatching(condition))];
  let current = from;
  if (matching.length > 0) {
    const plain = others.filter((condition) => subqueriesIn(condition).length === 0);
    let gathered = await gather(context, current, plain, mentioned);
    for (const condition of matching) gathered = await matched(context, environment, gathered, condition);
    current = fromOf(context, gathered);
    for (const condition of plain) others.splice(others.indexOf(condition), 1);
  }
  const scalars = new Scalars(context, environment, current, mentioned, node);
  let rewritten: AstNode = { ...node, where_clause: and(others) };
  for (const part of parts) rewritten = { ...rewritten, [part]: await scalars.replaceIn(rewritten[part] ?? null) };
  return { from: scalars.from, node: rewritten };
}

const isMatching = (condition: Expression): boolean => positive(condition) !== undefined;

/** `x IN (…)`, `EXISTS (…)`, or NOT of it. */
function positive(condition: Expression): { subquery: Expression; negated: boolean } | undefined {
  if (condition.class === 'SUBQUERY' && ['ANY', 'EXISTS', 'NOT_EXISTS'].includes(text(condition['subquery_type'])))
    return { subquery: condition, negated: text(condition['subquery_type']) === 'NOT_EXISTS' };
  if (condition.type !== 'OPERATOR_NOT') return undefined;
  const [child] = expressions(condition['children']);
  const inner = child === undefined ? undefined : positive(child);
  return inner === undefined ? undefined : { subquery: inner.subquery, negated: !inner.negated };
}

async function matched(
  context: QueryContext,
  environment: FromEnvironment,
  left: Gathered,
  condition: Expression,
): Promise<Gathered> {
  const found = positive(condition);
  const inner = isNode(found?.subquery['subquery']) ? found.subquery['subquery']['node'] : undefined;
  if (found === undefined || !isNode(inner)) throw new NeedsWhole();
  const any = text(found.subquery['subquery_type']) === 'ANY';
  const { right, on, value } = await innerSide(context, environment, inner, any, left);
  const conditions = [...on];
  if (any) {
    const child = found.subquery['child'];
    if (!isExpression(child) || value === undefined || subqueriesIn(child).length > 0) throw new NeedsWhole();
    const outer = new Scope(standIn(left, '$l', '$l')).qualify(child);
    const compared: Expression = {
      class: 'COMPARISON', type: text(found.subquery['comparison_type']), alias: '',
      query_location: condition['query_location'] ?? 0, left: outer, right: value,
    }; // prettier-ignore
    // NOT IN keeps a row only where the comparison is false for all: not where a NULL leaves it open.
    conditions.push(found.negated ? notFalse(compared) : compared);
  }
  return matchNode(context, {
    kind: found.negated ? 'ANTI' : 'SEMI',
    left,
    right,
    on: conditions,
    innerFirst: true,
    using: [],
    at: found.subquery,
  });
}

function notFalse(comparison: Expression): Expression {
  const query_location = comparison['query_location'] ?? 0;
  const unknown: Expression = { class: 'OPERATOR', type: 'OPERATOR_IS_NULL', alias: '', query_location, children: [comparison] }; // prettier-ignore
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_OR', alias: '', query_location, children: [comparison, unknown] };
}

interface InnerSide {
  readonly right: Gathered;
  /** Conditions that name the outer query. */
  readonly on: readonly Expression[];
  /** What IN compares with. */
  readonly value: Expression | undefined;
}

/** A subquery as the right side of a join: taken apart where it is a plain block, so that it may be correlated. */
async function innerSide(
  context: QueryContext,
  environment: FromEnvironment,
  inner: AstNode,
  any: boolean,
  left: Gathered,
): Promise<InnerSide> {
  const fromNode = inner['from_table'];
  const [item, second] = expressions(inner['select_list']);
  const plain =
    inner['type'] === 'SELECT_NODE' && isNode(fromNode) && fromNode['type'] !== 'EMPTY' &&
    nodes(inner['modifiers']).length === 0 && expressions(inner['group_expressions']).length === 0 &&
    !isExpression(inner['having']) && !isExpression(inner['qualify']) && nodes(isNode(inner['cte_map']) ? inner['cte_map']['map'] : null).length === 0 &&
    subqueriesIn(inner['where_clause'] ?? null).length === 0 && subqueriesIn(fromNode).length === 0 &&
    !hasSpecial(context, inner) && (!any || (item !== undefined && second === undefined && item.class !== 'STAR')); // prettier-ignore
  if (plain && isNode(fromNode)) {
    const whole = await compileFrom(context, { ...environment, wrap: undefined, mentioned: undefined }, fromNode);
    const outer = new Scope(standIn(left, '$l', '$l'));
    const { from, conditions } = await retain(context, whole, conjuncts(inner['where_clause']), new Map(), undefined);
    const closed = conditions.filter((condition) => !namesOutside(from.scope, outer, condition));
    const on = conditions.filter((condition) => !closed.includes(condition));
    const right = await gather(context, from, closed, undefined);
    return { right, on, value: any ? item : undefined };
  }
  const relational = await uncorrelated(() => environment.compileQuery(inner));
  const [first] = relational.columns;
  // Rows compared with rows.
  if (any && relational.columns.length > 1) throw new NeedsWhole();
  const right: Gathered = {
    node: relational.node,
    relations: [{ relation: { alias: '$q', columns: relational.columns, input: undefined, merged: new Set() }, names: relational.node.columns.map((column) => column.name) }],
  }; // prettier-ignore
  return { right, on: [], value: any && first !== undefined ? columnRef('$q', first.name) : undefined };
}

function namesOutside(inner: Scope, outer: Scope, condition: Expression): boolean {
  let outside = false;
  walk(condition, (node) => {
    const path = columnPath(node);
    if (path.length > 0 && inner.resolve(path) === undefined && outer.resolve(path) !== undefined) outside = true;
  });
  return outside;
}

function hasSpecial(context: QueryContext, inner: AstNode): boolean {
  let special = false;
  walk(inner['select_list'] ?? null, (node) => {
    if (node['class'] === 'SUBQUERY') return false;
    if (node['class'] === 'WINDOW') special = true;
    if (node['class'] === 'FUNCTION' && context.service.functionKind(text(node['function_name'])) === 'aggregate')
      special = true;
    return true;
  });
  return special;
}

/** Scalar subqueries that have exactly one row, whatever their input: each a cross join. */
class Scalars {
  from: From;
  private readonly context: QueryContext;
  private readonly environment: FromEnvironment;
  private readonly mentioned: Mentioned;
  /** Whether the block around them groups: a column of theirs would have to be grouped by. */
  private readonly grouped: boolean;

  constructor(context: QueryContext, environment: FromEnvironment, from: From, mentioned: Mentioned, block: AstNode) {
    this.context = context;
    this.environment = environment;
    this.from = from;
    this.mentioned = mentioned;
    const aggregates = hasSpecial(context, { select_list: block['select_list'] ?? null });
    this.grouped = expressions(block['group_expressions']).length > 0 || aggregates || block['aggregate_handling'] === 'FORCE_AGGREGATES'; // prettier-ignore
  }

  async replaceIn(value: Json): Promise<Json> {
    const columns = new Map<AstNode, Expression>();
    for (const subquery of subqueriesIn(value)) columns.set(subquery, await this.column(subquery));
    if (columns.size === 0) return value;
    return replace(value, (node) => {
      const column = columns.get(node);
      return column === undefined ? undefined : { ...column, alias: text(node['alias']) };
    });
  }

  private async column(subquery: AstNode): Promise<Expression> {
    const inner = isNode(subquery['subquery']) ? subquery['subquery']['node'] : undefined;
    if (subquery['subquery_type'] !== 'SCALAR' || !isNode(inner) || !this.oneRow(inner)) throw new NeedsWhole();
    const joined = this.grouped
      ? undefined
      : await correlatedAggregate(this.context, this.environment, this.from, inner, this.mentioned);
    if (joined !== undefined) {
      this.from = joined.from;
      return joined.value;
    }
    const relational = await uncorrelated(() => this.environment.compileQuery(inner));
    const [column] = relational.columns;
    if (relational.node.kind === 'static' || column === undefined) throw new NeedsWhole();
    const alias = this.context.nextId('$scalar');
    const names = relational.node.columns.map((candidate) => candidate.name);
    const added = fromOf(this.context, { node: relational.node, relations: [{ relation: { alias, columns: relational.columns, input: undefined, merged: new Set(), starless: true, qualifiedOnly: true }, names }] }); // prettier-ignore
    this.from = {
      scope: new Scope([...this.from.scope.relations, ...added.scope.relations]),
      sql: `${this.from.sql} CROSS JOIN ${added.sql}`,
      conditions: this.from.conditions,
      opaque: this.from.opaque,
    };
    return { ...columnRef(alias, column.name), query_location: subquery['query_location'] ?? 0 };
  }

  /** An aggregate without GROUP BY and HAVING has one row, even of nothing. */
  private oneRow(inner: AstNode): boolean {
    if (inner['type'] !== 'SELECT_NODE' || expressions(inner['group_expressions']).length > 0) return false;
    if (isExpression(inner['having']) || isExpression(inner['qualify']) || nodes(inner['modifiers']).length > 0)
      return false;
    let aggregate = false;
    walk(inner['select_list'] ?? null, (node) => {
      if (node['class'] === 'SUBQUERY' || node['class'] === 'WINDOW') return false;
      if (node['class'] === 'FUNCTION' && node['is_operator'] !== true)
        aggregate ||= this.context.service.functionKind(text(node['function_name'])) === 'aggregate';
      return true;
    });
    return aggregate;
  }
}
