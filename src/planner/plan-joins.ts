import type { Column } from '../base/schema.ts';
import type { KeptInput } from './plan-cogroup.ts';
import type { Clock, NodeCommon } from './plan-columns.ts';
import type { PlanNode } from './plan.ts';

/** How far apart joined rows can be. Indexes are those of the streaming inputs in order. */
export interface JoinBounds {
  readonly clock: Clock;
  /** `after` of each time column. */
  readonly after: readonly bigint[];
  /** The time column of each input, in which the bounds are. */
  readonly columns: readonly string[];
  /** `reach[i][j]`: the most that the time of j can exceed that of i in a match, microseconds. */
  readonly reach: readonly (readonly bigint[])[];
}

/**
 * A join of two inputs in which it matters whether a row has a match: outer, semi and anti joins. Its SQL names the
 * sides `$l` and `$r`.
 */
export interface MatchNode extends NodeCommon {
  readonly kind: 'match';
  readonly left: KeptInput;
  readonly right: KeptInput;
  readonly on: string;
  readonly gives: MatchGives;
  /** Over `$l` and `$r`; of a row without a match the other side is NULL. */
  readonly outputs: readonly { readonly name: string; readonly sql: string }[];
  readonly bounds: JoinBounds | undefined;
  readonly emit: 'changes' | 'on-window-close';
}

export interface MatchGives {
  readonly pairs: boolean;
  /** Rows of the left side alone: those with a match (semi), or those without (anti, left, full). */
  readonly left: 'matched' | 'unmatched' | undefined;
  readonly right: 'unmatched' | undefined;
}

/** A side of a join with versions: `keys` over its own columns, one for each of the node's. */
export interface TimedInput extends KeptInput {
  readonly keys: readonly string[];
  /** The column of event time, with its attribute's `after`. */
  readonly time: string;
  readonly after: bigint;
}

/**
 * Each left row with the version of its key that is valid at its time: the right row with the greatest time that is not
 * after it. Both sides are append-only. Its SQL names the sides `$l` and `$r`.
 */
export interface TemporalNode extends NodeCommon {
  readonly kind: 'temporal';
  /** What it stands for: `temporal join`. */
  readonly title: string;
  readonly left: TimedInput;
  readonly right: TimedInput;
  /** `$k0`…; NULL matches nothing. */
  readonly keys: readonly Column[];
  /** A version is valid only after its own time. */
  readonly strict: boolean;
  /** A left row without a version is given too. */
  readonly outer: boolean;
  /** The order of versions of one time, over `$r`: total, the one that is meant first. */
  readonly lastFirst: string;
  /** What a version must fulfil beside, where it is an inner join. */
  readonly where: string | undefined;
  readonly outputs: readonly { readonly name: string; readonly sql: string }[];
  readonly emit: 'changes' | 'on-window-close';
}

/**
 * Each left row with what the right side holds in the epoch in which it comes, never revised: the one exception to
 * stream = batch. Its SQL names the sides `$l` and `$r`.
 */
export interface LookupNode extends NodeCommon {
  readonly kind: 'lookup';
  readonly left: PlanNode;
  /** `keys` over its own columns. */
  readonly right: KeptInput & { readonly keys: readonly string[] };
  readonly leftKeys: readonly string[];
  readonly keys: readonly Column[];
  readonly on: string;
  readonly outer: boolean;
  readonly outputs: readonly { readonly name: string; readonly sql: string }[];
}
