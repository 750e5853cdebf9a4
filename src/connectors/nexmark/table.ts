import type { Column } from '../../base/schema.ts';
import { ident, join, sql, type Sql } from '../../base/sql.ts';
import { withDraws } from './draw.ts';
import { eventNumbers, type EventKind } from './events.ts';

/** One of the three tables: each column a function of the event number alone. */
export interface NexmarkTable {
  readonly kind: EventKind;
  readonly columns: readonly NexmarkColumn[];
}

export interface NexmarkColumn extends Column {
  readonly type: 'BIGINT' | 'VARCHAR' | 'TIMESTAMP';
  /** The draws that `value` uses. */
  readonly draws: readonly string[];
  /** Over `n`, `round` (n // 50, also the number of the last person) and its draws; of a TIMESTAMP ms since 1970. */
  readonly value: Sql;
}

/** A column of a table as a source gives it: under the declared name, with or without a time zone. */
export interface ProjectedColumn {
  readonly column: NexmarkColumn;
  readonly name: string;
  readonly type: string;
}

/** The SELECT of the rows with ordinals `from` to `to` in order; a column that its reader leaves out is not computed. */
export function selectRows(
  kind: EventKind,
  projected: readonly ProjectedColumn[],
  seed: number,
  [from, to]: readonly [number, number],
): Sql {
  const names = [...new Set(projected.flatMap(({ column }) => column.draws))];
  const numbered = sql`SELECT n, n // 50 AS round FROM (${eventNumbers(kind, from, to)})`;
  const rows = withDraws(numbered, [sql`n`, sql`round`], names, seed);
  return sql`SELECT ${join(projected.map((one) => sql`${valueOf(one)} AS ${ident(one.name)}`))} FROM (${rows})`;
}

function valueOf({ column, type }: ProjectedColumn): Sql {
  if (column.type !== 'TIMESTAMP') return column.value;
  const micros = sql`(${column.value}) * 1000`;
  return type === column.type ? sql`make_timestamp(${micros})` : sql`make_timestamptz(${micros})`;
}
