import type { Column } from '../../base/schema.ts';
import { ident, join, sql, type Sql } from '../../base/sql.ts';

export const PART_FORMATS = ['json', 'csv', 'parquet'] as const;
export type PartFormat = (typeof PART_FORMATS)[number];

/** The rows to write, in the order of the delta, each value as the format can hold it without loss. */
export function partSelect(format: PartFormat, columns: readonly Column[], delta: Sql): Sql {
  return sql`SELECT ${join(columns.map((column) => sql`${fitted(format, column)} AS ${ident(column.name)}`))} FROM ${delta}`;
}

/** The options of COPY. DuckDB's own temporary file is not wanted: the part is written aside already. */
export function copyOptions(format: PartFormat): Sql {
  switch (format) {
    case 'json':
      return sql`FORMAT json, USE_TMP_FILE false`;
    case 'csv':
      return sql`FORMAT csv, HEADER true, USE_TMP_FILE false`;
    case 'parquet':
      return sql`FORMAT parquet, USE_TMP_FILE false`;
  }
}

function fitted(format: PartFormat, { name, type }: Column): Sql {
  const value = ident(name);
  // DuckDB writes a HUGEINT to Parquet as a DOUBLE; sum(BIGINT) is one. What does not fit is an error, not a loss.
  if (format === 'parquet' && /^U?HUGEINT$/.test(type)) return sql`CAST(${value} AS DECIMAL(38, 0))`;
  // JSON has no NaN and no Infinity: as text, which casts back.
  if (format === 'json' && /^(DOUBLE|FLOAT)$/.test(type))
    return sql`CASE WHEN isfinite(${value}) THEN to_json(${value}) ELSE to_json(CAST(${value} AS VARCHAR)) END`;
  return value;
}
