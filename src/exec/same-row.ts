import type { Column } from '../base/schema.ts';
import { ident, sql, type Sql } from '../base/sql.ts';

/** To DuckDB -0.0 is 0.0 and a month is 30 days; one that is retracted is not the other. */
const HIDES_DIFFERENCES = /\b(DOUBLE|FLOAT|INTERVAL)\b/;

/**
 * What must be equal beside the columns themselves, so that rows that are not distinct also look the same. Columns of
 * `relation`, or bare ones. NaN is NaN, whatever its bits.
 */
export function tellingApart(columns: readonly Column[], relation?: string): readonly Sql[] {
  return columns.flatMap(({ name, type }): readonly Sql[] => {
    const column = relation === undefined ? ident(name) : ident(relation, name);
    if (type === 'DOUBLE' || type === 'FLOAT') return [sql`(${column} = 0 AND signbit(${column}))`];
    return HIDES_DIFFERENCES.test(type) ? [sql`replace(CAST(${column} AS VARCHAR), '-nan', 'nan')`] : [];
  });
}
