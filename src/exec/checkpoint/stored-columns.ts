import type { Column } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';

/**
 * The select list with which a table's columns go to Parquet. What DuckDB would write there with less than it holds is
 * written as text, also within lists, structs and maps: HUGEINT (it becomes a DOUBLE), INTERVAL (it loses its
 * microseconds), TIME WITH TIME ZONE (it loses its offset). `restoreTable` casts it back.
 */
export function storedColumns(columns: readonly Column[]): Sql {
  return join(
    columns.map(({ name, type }) => {
      const stored = storedType(type);
      return stored === type ? ident(name) : sql`CAST(${ident(name)} AS ${raw(stored)}) AS ${ident(name)}`;
    }),
  );
}

/** A type's name, where it stands as a type and not as the name of a field or a value of an ENUM. */
const LOSSY = /"(?:[^"]|"")*"|'(?:[^']|'')*'|\b(?:U?HUGEINT|INTERVAL|TIME WITH TIME ZONE)(?=[,)[\]]|$)/g;

const storedType = (type: string): string =>
  type.replace(LOSSY, (found) => (found.startsWith('"') || found.startsWith("'") ? found : 'VARCHAR'));
