import type { RecordColumn } from '../../base/metadata.ts';
import type { Sql } from '../../base/sql.ts';

/** What one source's records become. */
export interface DecodePlan {
  /** What errors call the source; computed columns may qualify names with it. */
  readonly source: string;
  /** A record that does not decode throws DATA instead of becoming a dead letter. */
  readonly strict: boolean;
  /** The physical columns, in order, with DuckDB types. */
  readonly columns: readonly RecordColumn[];
  /** Columns that follow from where a record stands. */
  readonly placed?: readonly Placed[];
  /** Evaluated over the physical columns and those placed. */
  readonly computed: readonly {
    readonly name: string;
    readonly expression: Sql;
    readonly type: string;
    /** How reasons show it; by default the expression. */
    readonly written?: string | undefined;
  }[];
  /** TIMESTAMP columns stamped with the epoch's clock. */
  readonly proctime: readonly string[];
  /** The watermark's column (physical or computed, TIMESTAMP or TIMESTAMPTZ): NULL or infinite makes a dead letter. */
  readonly eventTime: string | undefined;
  /** How far beyond the clock an event time may be, microseconds; undefined: any way. */
  readonly maxFuture?: bigint | undefined;
  /** Set where records are changes. */
  readonly changes?: ChangeRecords | undefined;
  /** Whether to add `$p INTEGER` and `$o BIGINT`, the record's partition and offset. */
  readonly identity: boolean;
}

/** A column of the offset, or of something that all records of a partition have, by its index. */
export interface Placed {
  readonly name: string;
  readonly type: string;
  readonly value: 'offset' | ((partition: number) => string | number);
}

/** Records that are changes of rows: not each has an event time, and what makes one bad is more than its types. */
export interface ChangeRecords {
  /** The columns may stand inside an object under this key instead. JSON only. */
  readonly envelope: string | undefined;
  /** The reason why a record is bad, or NULL, over the physical columns. It covers the event time too. */
  readonly problem: Sql;
}

/** What became of the chunks. The table's columns are the physical, the computed, the proctime ones, those placed, then the identity. */
export interface Decoded {
  /** Rows in the table: rowids `0 .. rows - 1`, in the order of the chunks. */
  readonly rows: number;
  readonly segments: readonly Segment[];
  /** By stretches of at most 2,048 rows of one partition, in order; empty without `eventTime`. */
  readonly times: readonly Stretch[];
  /** By partition, then offset. */
  readonly dead: readonly DeadLetter[];
}

/** Consecutive rows with consecutive offsets: row `firstRow + i` has offset `firstOffset + i`. */
export interface Segment {
  readonly partition: number;
  readonly firstRow: number;
  readonly rows: number;
  readonly firstOffset: number;
}

/** Least and greatest event time of some rows of one partition, in microseconds since 1970-01-01 UTC. */
export interface Stretch {
  readonly partition: number;
  readonly firstRow: number;
  readonly rows: number;
  readonly min: bigint;
  readonly max: bigint;
}

export interface DeadLetter {
  readonly partition: number;
  /** The record's offset; of a record of a JSON or CSV file the byte at which it starts. */
  readonly offset: number;
  /** Invalid UTF-8 shows as U+FFFD; a long payload is cut, and says so. Null where the record had none. */
  readonly payload: string | null;
  readonly reason: string;
}

export const STRETCH_ROWS = 2048;
