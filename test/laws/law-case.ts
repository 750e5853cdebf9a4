/** A case of the laws, whole: what the engine is told and fed, and what plain DuckDB must say. JSON, so that it can be kept. */
export interface LawCase {
  readonly sources: readonly LawSource[];
  /** The file that the engine runs. */
  readonly sql: string;
  readonly views: readonly LawView[];
}

export interface LawSource {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly eventTime: { readonly column: string; readonly delayMs: number } | undefined;
  readonly partitions: readonly LawPartition[];
}

export interface LawPartition {
  readonly records: readonly LawRecord[];
  /** It is over with its last record; else with the end of all input. */
  readonly endsEarly: boolean;
}

export type LawRecord =
  | {
      readonly kind: 'row';
      /** An expression for each column. */
      readonly cells: readonly string[];
      /** The event time, ms since 1970; undefined where the source has none. */
      readonly time: number | undefined;
      /** The row as a line of JSON; undefined where JSON cannot say it. */
      readonly json: string | undefined;
    }
  /** A line that is no record of the source, or a record that the reader itself rejects. */
  | { readonly kind: 'bad'; readonly json: string; readonly rejected: boolean };

/**
 * A materialized view and its oracle: SQL over the tables `raw_<source>`, which hold all good rows with "$p", "$o", "$wm"
 * (the running watermark of its partition just before the row) and "$e" (the epoch that brings it). `{{e}}` stands for the
 * epoch, `{{w a b - 500}}` for the least watermark of the sources a and b less 500 ms.
 */
export interface LawView {
  readonly name: string;
  readonly oracle: string;
  /** (source, partition, offset, partly) of the rows that the view refuses; undefined where it refuses none. */
  readonly late: string | undefined;
}

/** The epoch of each record, by source and partition; epochs count from 0, and no record comes before an earlier one. */
export type Slicing = readonly (readonly (readonly number[])[])[];
