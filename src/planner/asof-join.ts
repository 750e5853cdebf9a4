import type { AstNode, Expression } from './ast.ts';
import { nearestNode, nearestOfStatic } from './asof-node.ts';
import { refuse, type QueryContext } from './context.ts';
import type { From } from './from-part.ts';
import { gather, type Gathered, type Mentioned } from './gather.ts';
import { pairConditions, pairKey, pairOf, type Compared, type Pair, type PairCondition } from './pair.ts';
import { Scope } from './scope.ts';
import { temporalNode } from './temporal-node.ts';

/** A join that picks at most one row of its right side for each row of the left one. */
export interface PickRequest {
  /** `INNER`, `LEFT`, … */
  readonly type: string;
  readonly left: From;
  readonly right: From;
  /** Unresolved. */
  readonly on: readonly Expression[];
  readonly mentioned: Mentioned;
  readonly at: AstNode;
}

/**
 * ASOF JOIN: for each left row the nearest right row of its key. Of right rows with the same key and time the last by all
 * of its columns, in their order, is meant: where rows lie decides nothing.
 */
export async function asofJoin(context: QueryContext, request: PickRequest): Promise<Gathered> {
  const { type, at, mentioned } = request;
  refuseKind(context, request);
  const [alone, on] = rightAlone(request);
  const left = await gather(context, request.left, [], mentioned);
  const right = await gather(context, request.right, alone, undefined);
  const pair = pairOf(left, right);
  const conditions = await pairConditions(context, pair, on);
  const { inequality, equalities } = takeApart(context, pair, conditions, at);
  const keys = await Promise.all(equalities.map((equality) => pairKey(context, pair, equality)));
  const outer = type === 'LEFT';
  const base = { pair, outer, keys, mentioned, at };
  const join = { ...base, title: 'asof join', on: conditions, time: inequality.right, residual: [] };
  if (right.node.kind === 'static' && left.node.kind !== 'static') return nearestOfStatic(context, join);
  if (context.emit === 'changes' || keys.some((key) => key.time !== undefined)) return nearestNode(context, join);
  const times = eventTimes(pair, inequality);
  if (times === undefined) {
    throw refuse(
      context,
      at,
      'EMIT ON WINDOW CLOSE: nothing tells when a row of this ASOF JOIN is final',
      'compare the event time columns of two streams by >= or >, or leave EMIT ON WINDOW CLOSE away',
    );
  }
  const residual = conditions.filter((condition) => condition.compares === undefined);
  return temporalNode(context, { ...base, ...times, title: 'asof join', residual });
}

/** The conditions on the right side alone hold before the nearest row is looked for. */
function rightAlone(request: PickRequest): readonly [readonly Expression[], readonly Expression[]] {
  const { left, right } = request;
  const both = new Scope([...left.scope.relations, ...right.scope.relations]);
  const alone = (condition: Expression): boolean => {
    const reads = both.reads(condition).map((read) => read.relation);
    return reads.length > 0 && reads.every((relation) => right.scope.relations.includes(relation));
  };
  return [request.on.filter(alone), request.on.filter((condition) => !alone(condition))];
}

function takeApart(
  context: QueryContext,
  pair: Pair,
  conditions: readonly PairCondition[],
  at: AstNode,
): { inequality: Compared; equalities: readonly Compared[] } {
  const equalities: Compared[] = [];
  let inequality: Compared | undefined;
  for (const { expression, compares } of conditions) {
    if (compares?.operator === '=') equalities.push(compares);
    else if (compares?.operator === 'is not distinct from') {
      throw refuse(
        context,
        expression,
        'IS NOT DISTINCT FROM in an ASOF JOIN is not supported: DuckDB matches no NULLs there',
        'compare what is never NULL, such as coalesce(a.k, 0) = coalesce(b.k, 0)',
      );
    } else if (compares !== undefined && compares.operator !== '<>') inequality = compares;
    else if (pair.scope.reads(expression).some((read) => read.relation.alias === '$r')) {
      throw refuse(
        context,
        expression,
        'an ASOF JOIN compares its sides by equalities and one inequality; this condition is neither',
        'put it into WHERE, where it drops rows after the nearest one was found',
      );
    }
  }
  if (inequality === undefined) throw refuse(context, at, 'an ASOF JOIN needs an inequality between its two sides');
  return { inequality, equalities };
}

/** `l.ts >= r.ts` of event times, in rows that are only ever added. */
function eventTimes(
  pair: Pair,
  { left, right, operator }: Compared,
): { leftTime: string; rightTime: string; strict: boolean } | undefined {
  const [l, r] = [pair.scope.plainColumn(left)?.column, pair.scope.plainColumn(right)?.column];
  const plain = pair.left.node.appendOnly && pair.right.node.appendOnly;
  if (!plain || l?.time?.clock !== 'event' || r?.time?.clock !== 'event') return undefined;
  if (l.type !== r.type || (operator !== '>=' && operator !== '>')) return undefined;
  return { leftTime: l.name, rightTime: r.name, strict: operator === '>' };
}

function refuseKind(context: QueryContext, { type, at }: PickRequest): void {
  if (type === 'INNER' || type === 'LEFT') return;
  const semi = type === 'SEMI' || type === 'ANTI';
  const hint = semi
    ? `write ${type} JOIN with the same condition: it means the same`
    : 'write ASOF JOIN or ASOF LEFT JOIN';
  throw refuse(context, at, `ASOF ${type} JOIN is not supported`, hint);
}
