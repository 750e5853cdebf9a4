import { asofJoin } from './asof-join.ts';
import { isExpression, text, type AstNode, type Expression, type Json } from './ast.ts';
import { refuse, type QueryContext } from './context.ts';
import { wholeFrom, type FromCompiler, type Part } from './from-part.ts';
import { fromOf, gather, within, type Gathered } from './gather.ts';
import { joinConditions, withMerged } from './join-conditions.ts';
import { matchNode, type MatchKind } from './match-node.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { Relation } from './scope.ts';
import { versionedJoin } from './temporal-join.ts';

/** Outer, semi and anti joins become a node of their own, which stands for the relations of both sides. */
export async function matchPart(
  { context, environment }: FromCompiler,
  node: AstNode,
  type: string,
  left: Part,
  right: Part,
  before: readonly Relation[],
): Promise<Part> {
  if (!['LEFT', 'RIGHT', 'FULL', 'OUTER', 'SEMI', 'ANTI'].includes(type))
    throw refuse(context, node, `${type} JOIN of streams is not supported`);
  if (before.length > 0 && [left, right].some((part) => part.opaque))
    throw refuse(context, node, 'LATERAL inside an outer join of streams is not supported');
  const kind = (type === 'OUTER' ? 'FULL' : type) as MatchKind;
  const { conditions, merged } = joinConditions(context, node, left.relations, right.relations);
  const sides: Gathered[] = [];
  for (const part of [left, right]) {
    sides.push(await gather(context, wholeFrom(part), [], environment.mentioned));
  }
  const [l, r] = sides as [Gathered, Gathered];
  const coalesced = kind === 'RIGHT' || kind === 'FULL' ? [...merged] : [];
  const made = await matchNode(context, {
    kind,
    left: l,
    right: r,
    on: conditions,
    innerFirst: false,
    using: coalesced,
    at: node,
  });
  return standing(
    context,
    made,
    left.relations.filter((relation) => relation.hidden !== true).length,
    merged,
    made.using,
  );
}

/** ASOF joins and those FOR SYSTEM_TIME AS OF become a node of their own, as outer joins do. */
export async function pickPart(
  compiler: FromCompiler,
  node: AstNode,
  left: Part,
  rightNode: AstNode,
  moment: Json | undefined,
): Promise<Part> {
  const { context, environment } = compiler;
  const right = await compiler.compile(
    isExpression(moment) ? { ...rightNode, at_clause: null } : rightNode,
    left.relations,
  );
  const { conditions, merged } = joinConditions(context, node, left.relations, right.relations);
  const on = text(node['ref_type']) === 'ASOF' && merged.size > 0 ? lastAsInequality(conditions) : conditions;
  const request = {
    type: text(node['join_type']),
    left: wholeFrom(left),
    right: wholeFrom(right),
    on,
    mentioned: environment.mentioned,
    at: node,
  };
  const made = isExpression(moment)
    ? await versionedJoin(context, { ...request, moment, table: rightNode })
    : await asofJoin(context, request);
  return standing(context, made, left.relations.filter((relation) => relation.hidden !== true).length, merged, []);
}

function standing(
  context: QueryContext,
  made: Gathered,
  leftCount: number,
  merged: ReadonlySet<string>,
  using: readonly { column: PlanColumn; name: string }[],
): Part {
  const from = fromOf(context, made);
  const physical = from.scope.relations.at(-1);
  const alias = context.nextId('$using');
  const synthetic =
    using.length === 0 || physical === undefined
      ? []
      : [
          within(
            { alias, columns: using.map(({ column }) => column), input: undefined, merged: new Set() },
            physical,
            using.map(({ name }) => name),
          ),
        ];
  const map = new Map(using.map(({ column }) => [column.name.toLowerCase(), alias]));
  const relations = from.scope.relations.map((relation, i) => {
    if (relation.hidden === true) return relation;
    if (i >= leftCount) return withMerged(relation, merged);
    return using.length === 0 ? relation : { ...withMerged(relation, merged), using: map };
  });
  return {
    relations: [...relations, ...synthetic.map((relation) => ({ ...relation, starless: true }))],
    sql: from.sql,
    conditions: [],
    streaming: true,
    opaque: false,
  };
}

/** In the USING of an ASOF JOIN the last column is the one that is not after the left side's. */
const lastAsInequality = (conditions: readonly Expression[]): readonly Expression[] =>
  conditions.map((condition, i) =>
    i === conditions.length - 1 ? { ...condition, type: 'COMPARE_GREATERTHANOREQUALTO' } : condition,
  );
