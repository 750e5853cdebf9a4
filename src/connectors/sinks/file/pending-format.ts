import type { Column } from '../../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../../base/sql.ts';

/** What DuckDB writes to Parquet with less than it holds, or reads back from there as something else. */
const AS_TEXT = /\b(?:U?HUGEINT|INTERVAL|TIME WITH TIME ZONE|UNION)\b/;

const cell = (i: number): Sql => ident(`c${i}`);

/** Keeps a relation's rows, in their order, as Parquet from which `pendingRows` gives exactly them. */
export function copyToPending(columns: readonly Column[], from: Sql, path: string): Sql {
  const cells = columns.map(({ name, type }, i) =>
    AS_TEXT.test(type) ? sql`CAST(${ident(name)} AS VARCHAR) AS ${cell(i)}` : sql`${ident(name)} AS ${cell(i)}`,
  );
  return sql`COPY (SELECT ${join(cells)} FROM ${from}) TO ${path} (FORMAT parquet, USE_TMP_FILE false)`;
}

/** The rows of kept files, one file after another, with the columns' own types. */
export function pendingRows(columns: readonly Column[], paths: readonly string[]): Sql {
  const cells = columns.map(({ name, type }, i) => sql`CAST(${cell(i)} AS ${raw(type)}) AS ${ident(name)}`);
  const files = join(paths.map((path) => sql`${path}`));
  // Or a folder of the user's called job=1 would be a column.
  return sql`(SELECT ${join(cells)} FROM read_parquet([${files}], hive_partitioning = false))`;
}
