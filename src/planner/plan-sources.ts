import type { ChangeFormat, SourcePlan } from '../base/connector.ts';
import type { PlaceValue, RecordColumn } from '../base/metadata.ts';
import type { Column } from '../base/schema.ts';
import type { NodeCommon } from './plan-columns.ts';
import type { SourceTiming } from './timing.ts';

export interface SourceNode extends NodeCommon {
  readonly kind: 'source';
  readonly name: string;
  readonly connector: string;
  readonly plan: SourcePlan;
  /** The options that say what it reads. */
  readonly reads: string;
  /** How long its raw records are kept, ms. */
  readonly retainMs: number | undefined;
  readonly timing: SourceTiming;
  readonly physical: readonly RecordColumn[];
  /** METADATA columns that follow from a record's place; absent where there are none. */
  readonly placed?: readonly PlacedColumn[];
  readonly computed: readonly ComputedColumn[];
  readonly proctime: readonly string[];
  /** The event time column and how far its watermark trails, microseconds. */
  readonly eventTime: EventTime | undefined;
  /**
   * Set where its records are changes, which a changelog node reads. `envelope`: the columns may stand in an object under
   * this key. `problem`: SQL over the physical columns for the reason why a record is no change, or NULL.
   */
  readonly changes: { readonly envelope: string | undefined; readonly problem: string } | undefined;
}

export interface PlacedColumn extends Column {
  /** Of the connector's metadata. */
  readonly key: string;
  readonly value: PlaceValue;
}

export interface ComputedColumn {
  readonly name: string;
  readonly expression: string;
  readonly type: string;
  /** As the user wrote it, where the expression is another. */
  readonly written?: string | undefined;
}

export interface EventTime {
  readonly column: string;
  /** The user's own column, where `column` is one made from it. */
  readonly of?: string | undefined;
  readonly delay: bigint;
  readonly zoned: boolean;
}

/**
 * The rows that a source's changes come to. Its columns have no time attributes: a row may go long after its time. The
 * source's watermark still says how far it is (`eventTime`).
 */
export interface ChangelogNode extends NodeCommon {
  readonly kind: 'changelog';
  readonly input: SourceNode;
  readonly format: ChangeFormat['format'];
  /** The columns that name a row: the PRIMARY KEY's, or `$key`, the record's own. Without any, rows are a multiset. */
  readonly key: readonly Column[];
  /** Over the columns of the input, named as its source: which records bring a row, and its key and columns. */
  readonly put: ChangeSide;
  /** Which records take a row away, and its key; without a key its columns. */
  readonly end: ChangeSide;
  readonly eventTime: EventTime | undefined;
}

export interface ChangeSide {
  readonly when: string;
  readonly values: readonly { readonly name: string; readonly sql: string }[];
}

/** A table that INSERT, UPDATE and DELETE change. */
export interface TableNode extends NodeCommon {
  readonly kind: 'table';
  readonly name: string;
  /** The columns of its PRIMARY KEY; none where it has none. */
  readonly key: readonly string[];
}

/** A table that does not change while the stream runs: a file, a constant. Read once, at the start. */
export interface StaticNode extends NodeCommon {
  readonly kind: 'static';
  readonly sql: string;
}
