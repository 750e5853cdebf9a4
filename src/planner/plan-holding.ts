import type { AggregateNode } from './plan-aggregate.ts';
import type { Clock, NodeCommon } from './plan-columns.ts';
import type { PlanNode } from './plan.ts';

/** Nodes that let the rows of one input through at another time than they came. */
export type HoldingNode = RetentionNode | CoalesceNode | GateNode;

/**
 * Conditions on now(): each row of the input is there while `since <= clock < until`, for every bound, and never where one
 * is NULL. Append-only where rows only appear. No column is a time attribute: rows come when the clock says.
 */
export interface RetentionNode extends NodeCommon {
  readonly kind: 'retention';
  readonly input: PlanNode;
  /** What the bounds call the input. */
  readonly alias: string;
  /** BIGINT microseconds over the input's columns. */
  readonly since: readonly string[];
  readonly until: readonly string[];
  /** The conditions as they were written, for EXPLAIN. */
  readonly text: string;
}

/** EMIT EVERY: changes are gathered, and given as one at multiples of `every` (microseconds) of the engine's clock. */
export interface CoalesceNode extends NodeCommon {
  readonly kind: 'coalesce';
  readonly input: PlanNode;
  readonly every: bigint;
}

/**
 * EMIT ON WINDOW CLOSE ALLOWED LATENESS: changes of groups wait until the watermark has closed the group's window; those
 * of closed ones pass. `close` is a column of the input, which the node itself has not.
 */
export interface GateNode extends NodeCommon {
  readonly kind: 'gate';
  readonly input: AggregateNode;
  readonly close: { readonly column: string; readonly after: bigint; readonly clock: Clock };
  /** Microseconds for which a closed window is corrected. */
  readonly lateness: bigint;
}
