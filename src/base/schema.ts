/** A column as DuckDB describes it: `type` is DuckDB's own text for the type, such as `DECIMAL(18,3)`. */
export interface Column {
  readonly name: string;
  readonly type: string;
}

/**
 * Names that streamsql adds to delta and state tables all begin with `$`; a user's column may not.
 * `$p` partition index, `$o` offset within the partition, `$wm` the row's own partition's running watermark just before it,
 * `$n` the weight of a row in the delta of a node that is not append-only: so many rows inserted, or, negative, retracted.
 */
export const HIDDEN = { partition: '$p', offset: '$o', watermark: '$wm', weight: '$n' } as const;

/** Column names compare as DuckDB's identifiers do. */
export const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
