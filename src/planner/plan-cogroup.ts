import type { Column } from '../base/schema.ts';
import type { Clock, NodeCommon } from './plan-columns.ts';
import type { PlanNode } from './plan.ts';

/** An input of an operator that keeps it whole: as a multiset of the columns that are read. */
export interface KeptInput {
  /** Its name in the operator's SQL. */
  readonly placeholder: string;
  readonly node: PlanNode;
  readonly uses: readonly string[];
}

/**
 * The general operator: what an epoch touched is answered anew. Inputs are kept as multisets by key; the user's own SQL runs
 * over the rows of the touched keys, and the delta is its answer less the one that was kept. Without a key an epoch
 * touches everything.
 */
export interface CogroupNode extends NodeCommon {
  readonly kind: 'cogroup';
  /** What it stands for: `over`, `top-n`, `except`. */
  readonly title: string;
  /** `keys`: the key over the input's own columns, one expression for each of the node's. */
  readonly inputs: readonly (KeptInput & { readonly keys: readonly string[] })[];
  /** A SELECT over the placeholders: the node's columns, then `$k0`…. */
  readonly body: string;
  /**
   * A SELECT of the rows of the one input, which is only ever added to, that can still matter: of the first n of a key none
   * that is behind them ever will.
   */
  readonly matters: string | undefined;
  /** `$k0`… */
  readonly keys: readonly Column[];
  readonly emit: 'changes' | 'on-window-close';
  /** When a key is complete: at `watermark >= key + after`. */
  readonly close: { readonly column: string; readonly after: bigint; readonly clock: Clock } | undefined;
}
