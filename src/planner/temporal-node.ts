import type { AstNode } from './ast.ts';
import { picked } from './asof-node.ts';
import { newDemand, type QueryContext } from './context.ts';
import { demandWatermark } from './demand.ts';
import type { Gathered, Mentioned } from './gather.ts';
import {
  allOf,
  describeKeys,
  describeOutputs,
  lastFirst,
  pairOutputs,
  readsOf,
  type Pair,
  type PairCondition,
  type PairKey,
} from './pair.ts';
import type { PlanColumn, TimeAttribute } from './plan-columns.ts';
import type { TemporalNode, TimedInput } from './plan-joins.ts';
import type { PlanNode } from './plan.ts';

/** A join in which each left row finds the last right row of its key that is not after it, both of event time. */
export interface Timed {
  readonly title: string;
  readonly pair: Pair;
  readonly outer: boolean;
  readonly keys: readonly PairKey[];
  /** Columns of event time. */
  readonly leftTime: string;
  readonly rightTime: string;
  readonly strict: boolean;
  /** What the version must fulfil beside. */
  readonly residual: readonly PairCondition[];
  readonly mentioned: Mentioned;
  readonly at: AstNode;
}

/** The node of a join with versions. Both sides are append-only and their times are time attributes. */
export async function temporalNode(context: QueryContext, join: Timed): Promise<Gathered> {
  const { pair, keys, residual, outer } = join;
  const outcome = pairOutputs(pair, join.mentioned, picked(outer, residual));
  const [l, r] = [attribute(pair.left.node, join.leftTime), attribute(pair.right.node, join.rightTime)];
  [pair.left.node, pair.right.node].forEach(demandWatermark);
  const read = readsOf(
    pair,
    '$l',
    residual.map((condition) => condition.expression),
  );
  const kept = new Set([...outcome.leftUses, ...read, join.leftTime]);
  const side = (i: 0 | 1, node: PlanNode, names: ReadonlySet<string>): TimedInput => ({
    placeholder: i === 0 ? '$l' : '$r',
    node,
    uses: node.columns.map((column) => column.name).filter((name) => names.has(name)),
    keys: keys.map((key) => (i === 0 ? key.left : key.right)),
    time: i === 0 ? join.leftTime : join.rightTime,
    after: (i === 0 ? l : r).after,
  });
  const closes = context.emit === 'on-window-close';
  const described = await describeOutputs(context, pair, outcome.outputs);
  const columns = described.map((column): PlanColumn => {
    const time = closes ? held(outcome.leftColumns.get(column.name), join.leftTime, l, r) : undefined;
    return time === undefined ? column : { ...column, time };
  });
  const id = context.nextId(join.title.replaceAll(' ', '-'));
  await context.service.declare(id, columns);
  const node: TemporalNode = {
    kind: 'temporal', id, columns, appendOnly: closes, demand: newDemand(), title: join.title,
    left: side(0, pair.left.node, kept),
    // Which of two versions of one time is meant does not depend on what the query reads of them.
    right: side(1, pair.right.node, new Set(pair.right.node.columns.map((column) => column.name))),
    keys: await describeKeys(context, pair, keys),
    strict: join.strict, lastFirst: lastFirst('$r', pair.right.node.columns), outer, emit: context.emit,
    where: outer || residual.length === 0 ? undefined : allOf(residual),
    outputs: outcome.outputs.map(({ name, sql }) => ({ name, sql })),
  }; // prettier-ignore
  return { node, relations: outcome.relations };
}

const attribute = (node: PlanNode, name: string): TimeAttribute =>
  node.columns.find((column) => column.name === name)?.time ?? { after: 1n, clock: 'event' };

/**
 * What a left row's time promises when it is given. It waits until both watermarks have passed it, so its column, and
 * the columns of the same window, are as far behind as the later of the two sides.
 */
function held(
  column: PlanColumn | undefined,
  leftTime: string,
  l: TimeAttribute,
  r: TimeAttribute,
): TimeAttribute | undefined {
  const time = column?.time;
  if (column === undefined || time === undefined) return undefined;
  const sibling = column.name === leftTime || (time.window !== undefined && time.window === l.window);
  return sibling ? { ...time, after: time.after + (r.after > l.after ? r.after - l.after : 0n) } : undefined;
}
