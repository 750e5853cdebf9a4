import type { Clock, NodeCommon } from './plan-columns.ts';
import type { SelectNode } from './plan-select.ts';
import type { Window } from './plan-windows.ts';

export interface AggregateCall {
  /** Its name in `outputs`: `$a0`. */
  readonly name: string;
  readonly type: string;
  /** The whole call over the columns of `input`, with a total order where it picks among rows. */
  readonly sql: string;
  /** How it merges from partial results; undefined where it must see the rows. */
  readonly merge: AggregateMerge | undefined;
  /** count(DISTINCT …): its only partial is how many values an epoch's rows bring that the group did not have. */
  readonly distinct: { readonly argument: string; readonly filter: string | undefined } | undefined;
}

export interface AggregateMerge {
  /** What an epoch's rows give, by column: `$a0_0`. */
  readonly partials: readonly {
    readonly name: string;
    readonly sql: string;
    readonly merge: 'sum' | 'min' | 'max' | 'bool_and' | 'bool_or' | 'bit_and' | 'bit_or' | 'bit_xor';
  }[];
  /** The result from the merged partials. */
  readonly final: string;
}

export interface AggregateKey {
  /** Its name in `input` and in `outputs`: `$k0`. */
  readonly name: string;
  readonly type: string;
  /** Set where the key is a column of the node's own window: computed from `$w`, the window's start. */
  readonly role: 'plain' | 'window_start' | 'window_end' | 'window_time';
}

/** GROUP BY over append-only input, or, `weighted`, over changing input by aggregates that can take back. */
export interface AggregateNode extends NodeCommon {
  readonly kind: 'aggregate';
  /** Projects the keys (`$k0`…), the arguments (`$x0`…), filters and the identity. */
  readonly input: SelectNode;
  readonly weighted: boolean;
  /** DISTINCT over rows that are only added: a group is given when it is first seen, and never again. */
  readonly firsts: boolean;
  readonly keys: readonly AggregateKey[];
  readonly calls: readonly AggregateCall[];
  /** Over `$k…` and `$a…`. */
  readonly outputs: readonly { readonly name: string; readonly sql: string }[];
  readonly having: string | undefined;
  readonly emit: 'changes' | 'on-window-close';
  /** The window that this node assigns itself, by panes, because its window columns are only used as keys. */
  readonly window: Window | undefined;
  /** When a group is complete: at `watermark >= key + after`. `$w` for the node's own window. */
  readonly close: { readonly column: string; readonly after: bigint; readonly clock: Clock } | undefined;
}
