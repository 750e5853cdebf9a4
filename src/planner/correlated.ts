import { ident } from '../base/sql.ts';
import { compileAggregate } from './aggregate.ts';
import {
  columnPath,
  columnRef,
  conjuncts,
  equal,
  expressions,
  isExpression,
  isNode,
  nodes,
  ONE,
  text,
  walk,
  type AstNode,
  type Expression,
  type Json,
} from './ast.ts';
import type { QueryContext } from './context.ts';
import { print } from './expressions.ts';
import type { From, FromEnvironment } from './from-part.ts';
import { compileFrom } from './from.ts';
import { fromOf, gather, type Mentioned } from './gather.ts';
import { matchNode } from './match-node.ts';
import type { StaticNode } from './plan-sources.ts';
import { Scope } from './scope.ts';
import { boundFrom } from './select-node.ts';
import { staticNode } from './static-node.ts';
import { subqueriesIn } from './whole.ts';

export interface Joined {
  readonly from: From;
  /** What stands in the subquery's place. */
  readonly value: Expression;
}

/**
 * `(SELECT max(b.v) FROM b WHERE b.k = a.k AND …)`: an aggregate over the rows with an equal key is a LEFT JOIN with the
 * groups of that key; where there is no group it has the value that the aggregate has of nothing. Undefined for every
 * other shape.
 */
export async function correlatedAggregate(
  context: QueryContext,
  environment: FromEnvironment,
  outer: From,
  inner: AstNode,
  mentioned: Mentioned,
): Promise<Joined | undefined> {
  const [item, second] = expressions(inner['select_list']);
  if (item === undefined || second !== undefined || !isPlain(context, inner)) return undefined;
  const from = await compileFrom(
    context,
    { ...environment, wrap: undefined, mentioned: undefined },
    inner['from_table'] as AstNode,
  );
  if (!from.scope.relations.some((relation) => relation.input !== undefined && relation.input.node.kind !== 'static')) return undefined; // prettier-ignore
  if (sides(from.scope, outer.scope, item) !== 'inner') return undefined;
  const closed: Expression[] = [];
  const keys: { readonly inner: Expression; readonly outer: Expression }[] = [];
  for (const condition of conjuncts(inner['where_clause'])) {
    if (sides(from.scope, outer.scope, condition) === 'inner') {
      closed.push(condition);
      continue;
    }
    const [left, right] = [condition['left'], condition['right']];
    if (condition.type !== 'COMPARE_EQUAL' || !isExpression(left) || !isExpression(right)) return undefined;
    const [l, r] = [left, right].map((side) => sides(from.scope, outer.scope, side));
    if (l === 'inner' && r === 'outer') keys.push({ inner: left, outer: right });
    else if (l === 'outer' && r === 'inner') keys.push({ inner: right, outer: left });
    else return undefined;
  }
  if (keys.length === 0) return undefined;
  const qualify = <T extends Json>(expression: T): T => from.scope.qualify(expression);
  const groups = keys.map((key) => qualify(key.inner));
  const value = { ...qualify(item), alias: '' };
  const grouped = await compileAggregate(
    {
      context,
      from,
      items: [
        ...groups.map((expression, i) => ({ name: `$g${i}`, expression })),
        { name: '$value', expression: value },
        { name: '$there', expression: ONE },
      ],
      conditions: [...from.conditions, ...closed].map(qualify),
      groups,
      having: undefined,
      qualify: undefined,
    },
    false,
  );
  const nothing = await ofNothing(context, from, value);
  const alias = context.nextId('$group');
  const own = (node: typeof grouped.node, name: string): Parameters<typeof fromOf>[1] => ({
    node,
    relations: [{ relation: { alias: name, columns: node.columns, input: undefined, merged: new Set(), starless: true, qualifiedOnly: true }, names: node.columns.map((column) => column.name) }],
  }); // prettier-ignore
  const made = await matchNode(context, {
    kind: 'LEFT',
    left: await gather(context, outer, [], mentioned),
    right: own(grouped.node, alias),
    on: keys.map((key, i) => equal(key.outer, columnRef(alias, `$g${i}`))),
    innerFirst: false,
    using: [],
    at: inner,
  });
  const joined = fromOf(context, made);
  const empty = fromOf(context, own(nothing, context.nextId('$nothing')));
  const emptyAlias = empty.scope.relations[0]?.alias ?? '';
  return {
    from: {
      scope: new Scope([...joined.scope.relations, ...empty.scope.relations]),
      sql: `${joined.sql} CROSS JOIN ${empty.sql}`,
      conditions: [],
      opaque: false,
    },
    value: orElse(columnRef(alias, '$there'), columnRef(alias, '$value'), columnRef(emptyAlias, '$value')),
  };
}

function isPlain(context: QueryContext, inner: AstNode): boolean {
  const from = inner['from_table'];
  if (inner['type'] !== 'SELECT_NODE' || !isNode(from) || from['type'] === 'EMPTY') return false;
  if (nodes(inner['modifiers']).length > 0 || expressions(inner['group_expressions']).length > 0) return false;
  if (isExpression(inner['having']) || isExpression(inner['qualify'])) return false;
  if (nodes(isNode(inner['cte_map']) ? inner['cte_map']['map'] : null).length > 0) return false;
  if ([inner['where_clause'], inner['select_list'], from].some((part) => subqueriesIn(part ?? null).length > 0)) return false; // prettier-ignore
  let aggregate = false;
  let window = false;
  walk(inner['select_list'] ?? null, (node) => {
    window ||= node['class'] === 'WINDOW';
    if (node['class'] === 'FUNCTION' && node['is_operator'] !== true)
      aggregate ||= context.service.functionKind(text(node['function_name'])) === 'aggregate';
  });
  return aggregate && !window;
}

/** Whose columns an expression reads. A name means the inner query's first. */
function sides(inner: Scope, outer: Scope, expression: Expression): 'inner' | 'outer' | 'both' {
  const found = new Set<'inner' | 'outer'>();
  walk(expression, (node) => {
    const path = columnPath(node);
    if (path.length === 0) return;
    if (inner.resolve(path) !== undefined) found.add('inner');
    else if (outer.resolve(path) !== undefined) found.add('outer');
  });
  const [only = 'inner'] = found;
  return found.size > 1 ? 'both' : only;
}

/** The aggregate of no rows: one row that does not change. */
async function ofNothing(context: QueryContext, from: From, value: Expression): Promise<StaticNode> {
  const sql = `SELECT ${await print(context.service, value)} AS ${ident('$value').text} FROM ${boundFrom(from)} WHERE false`;
  return staticNode(context, sql);
}

/** CASE WHEN there IS NULL THEN empty ELSE value END */
function orElse(there: Expression, value: Expression, empty: Expression): Expression {
  const query_location = value['query_location'] ?? 0;
  const missing: Expression = { class: 'OPERATOR', type: 'OPERATOR_IS_NULL', alias: '', query_location, children: [there] }; // prettier-ignore
  return {
    class: 'CASE', type: 'CASE_EXPR', alias: '', query_location,
    case_checks: [{ when_expr: missing, then_expr: empty }], else_expr: value,
  }; // prettier-ignore
}
