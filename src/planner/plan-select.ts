import type { NodeCommon } from './plan-columns.ts';
import type { JoinBounds } from './plan-joins.ts';
import type { PlanNode } from './plan.ts';

/** An input of a SELECT block: `placeholder` is its name in `from` and stands for whatever relation the step reads. */
export interface BlockInput {
  readonly placeholder: string;
  readonly alias: string;
  readonly node: PlanNode;
  /** The columns of it that the block reads. */
  readonly uses: readonly string[];
  /** Conditions of the WHERE that concern this input alone (over its bare columns), applied before it is kept. */
  readonly filter: string | undefined;
}

/**
 * FROM, WHERE and a projection. One streaming input: linear. Several: an inner join of k terms, each the user's own
 * FROM with one input replaced by its delta, the earlier ones by their new and the later by their old state.
 */
export interface SelectNode extends NodeCommon {
  readonly kind: 'select';
  readonly inputs: readonly BlockInput[];
  readonly from: string;
  readonly where: string | undefined;
  readonly projection: readonly { readonly name: string; readonly sql: string }[];
  readonly bounds: JoinBounds | undefined;
}

/** UNION ALL. */
export interface UnionNode extends NodeCommon {
  readonly kind: 'union';
  readonly inputs: readonly PlanNode[];
}
