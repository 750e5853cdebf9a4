import type { Column } from '../base/schema.ts';

/**
 * A column. `time` marks a time attribute: any row yet to come has `value + after > watermark` (microseconds), so a
 * group on it is complete, and a row of state can go, when the watermark has reached `value + after`.
 */
export interface PlanColumn extends Column {
  readonly time?: TimeAttribute | undefined;
  /** Of a node that changes rows: any change yet to come, of a row or back, has `value + after > watermark`. */
  readonly settles?: TimeAttribute | undefined;
}

export interface TimeAttribute {
  readonly after: bigint;
  /** Which watermark: that of the events, or the engine's clock (PROCTIME). */
  readonly clock: Clock;
  /** Columns of one window function call share it: they close together. */
  readonly window?: string | undefined;
}

export type Clock = 'event' | 'processing';

/** What every node has. */
export interface NodeCommon {
  /** Names its delta and state tables. */
  readonly id: string;
  readonly columns: readonly PlanColumn[];
  /** Rows are only ever inserted: the delta carries no weights. */
  readonly appendOnly: boolean;
  /** What later nodes and views need beside the columns; set while planning, fixed before the run. */
  readonly demand: Demand;
}

export interface Demand {
  /** Columns that tell a row from every other for good; in them lies the order of arrival. */
  identity: boolean;
  /** `$wm`, in epochs in which some row may be late. */
  watermark: boolean;
}
