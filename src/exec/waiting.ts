import { ident, raw, sql, type Sql } from '../base/sql.ts';
import type { Clock } from '../planner/plan-columns.ts';
import { inputsOf, type PlanNode } from '../planner/plan.ts';
import type { Window } from '../planner/plan-windows.ts';
import { fields, instantOf } from './checkpoint/memo.ts';
import type { Graph } from './graph.ts';
import { AggregateOperator } from './operators/aggregate.ts';
import { CogroupOperator } from './operators/cogroup.ts';
import { GateOperator } from './operators/gate.ts';
import { least, type Operator } from './operators/operator.ts';
import { SessionOperator } from './operators/session.ts';
import { firstEnd } from './windows.ts';

/** What of an operator's state waits for a watermark: whose value in a column is least goes first. */
export interface Waiting {
  readonly tables: readonly Sql[];
  readonly column: Sql;
  readonly clock: Clock;
  /** Where that watermark is now. */
  readonly watermark: bigint | undefined;
  /** The window that the least value is of, and the watermark that lets it go. */
  window(value: bigint): { readonly start: bigint | undefined; readonly end: bigint; readonly closesAt: bigint };
}

/** What an operator keeps until a watermark passes it; undefined where nothing of it closes. */
export function waitingOf(graph: Graph, operator: Operator): Waiting | undefined {
  if (operator instanceof AggregateOperator) return ofAggregate(graph, operator);
  if (operator instanceof CogroupOperator) {
    const { close, inputs } = operator.node;
    const [side] = operator.tables;
    if (close === undefined || side === undefined) return undefined;
    const inputNodes = inputs.map((input) => input.node);
    const sides = operator.tables.slice(0, inputs.length);
    return atKey(graph, inputNodes, sides.map((table) => table.name), close); // prettier-ignore
  }
  if (operator instanceof GateOperator) {
    const { close, input } = operator.node;
    return atKey(graph, [input.input], operator.tables.map((table) => table.name), close); // prettier-ignore
  }
  if (operator instanceof SessionOperator) {
    const { time, input } = operator.node;
    if (time === undefined) return undefined;
    const common = atKey(graph, [input], operator.tables.map((table) => table.name), { ...time, column: '$end' }); // prettier-ignore
    return { ...common, window: (end) => ({ start: undefined, end, closesAt: end + time.after }) };
  }
  return undefined;
}

function ofAggregate(graph: Graph, operator: AggregateOperator): Waiting | undefined {
  const { close, input, window } = operator.node;
  const [state] = operator.tables;
  if (close === undefined || state === undefined) return undefined;
  const common = atKey(graph, [input], [state.name], close);
  if (window === undefined || close.column !== '$w') return common;
  const byPane = operator.sql.panes && operator.node.emit === 'on-window-close';
  const closedUpTo = instantOf(fields(operator.save())['closedUpTo']);
  return {
    ...common,
    column: ident(byPane ? '$pane' : '$w'),
    window: (value) => {
      const start = byPane ? firstOpen(window, value, closedUpTo) : value;
      return { start, end: start + window.size, closesAt: start + close.after };
    },
  };
}

/** The first window of a pane that is not closed yet. */
function firstOpen(window: Window, pane: bigint, closedUpTo: bigint | undefined): bigint {
  const start = firstEnd(window, pane) - window.size;
  return closedUpTo !== undefined && start <= closedUpTo ? closedUpTo + window.slide : start;
}

function atKey(
  graph: Graph,
  inputs: readonly PlanNode[],
  tables: readonly Sql[],
  close: { readonly column: string; readonly after: bigint; readonly clock: Clock },
): Waiting {
  const watermarks = inputs.map((node) => graph.operator(node).watermark(close.clock));
  return {
    tables,
    column: ident(close.column),
    clock: close.clock,
    watermark: watermarks.reduce((low, next) => least(low, next)),
    window: (value) => ({ start: undefined, end: value + close.after, closesAt: value + close.after }),
  };
}

/** A SELECT of the least value, microseconds as text. */
export const leastOf = ({ tables, column }: Waiting): Sql => {
  const all = tables.map((table) => sql`SELECT min(${column}) AS t FROM ${table}`.text).join(' UNION ALL ');
  return sql`SELECT CAST(epoch_us(min(t)) AS VARCHAR) FROM (${raw(all)})`;
};

/** The nodes that a view has for itself: up to sources, and to what feeds another view. */
export function ownNodes(node: PlanNode, others: ReadonlySet<PlanNode>): readonly PlanNode[] {
  const own = new Set<PlanNode>();
  const visit = (at: PlanNode): void => {
    if (own.has(at) || (at !== node && others.has(at))) return;
    own.add(at);
    inputsOf(at).forEach(visit);
  };
  visit(node);
  return [...own];
}
