import type { Column } from '../base/schema.ts';
import type { NodeCommon, TimeAttribute } from './plan-columns.ts';
import type { PlanNode } from './plan.ts';

/** TUMBLE, HOP or CUMULATE: each row once for each window that holds it, with window_start, window_end and window_time. */
export interface WindowNode extends NodeCommon {
  readonly kind: 'window';
  readonly input: PlanNode;
  readonly window: Window;
}

export interface Window {
  readonly shape: 'tumble' | 'hop' | 'cumulate';
  readonly column: string;
  readonly zoned: boolean;
  /**
   * Microseconds. Windows begin at `offset` + multiples of `slide` since 1970-01-01 UTC; those of CUMULATE at `offset` +
   * multiples of `size`, and end at each multiple of `slide` from there.
   */
  readonly slide: bigint;
  readonly size: bigint;
  readonly offset: bigint;
  /** The time attribute of `column`, where it has one. */
  readonly time: TimeAttribute | undefined;
}

/**
 * SESSION: each row once, with window_start, window_end and window_time of the session that holds it. A session is as many
 * rows of one partition as follow one another at no more than `gap`; it ends `gap` after the last.
 */
export interface SessionNode extends NodeCommon {
  readonly kind: 'session';
  readonly input: PlanNode;
  readonly column: string;
  readonly zoned: boolean;
  /** Microseconds. */
  readonly gap: bigint;
  /** What partitions the rows: `$k0`…, each over the input's own columns. */
  readonly keys: readonly { readonly column: Column; readonly sql: string }[];
  readonly emit: 'changes' | 'on-window-close';
  /** The time attribute of `column`, where it has one: without it no session closes. */
  readonly time: TimeAttribute | undefined;
}
