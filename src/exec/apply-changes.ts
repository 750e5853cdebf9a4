import { StreamsqlError } from '../base/errors.ts';
import type { Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';
import { tellingApart } from './same-row.ts';

/** One of each for each connection. The delta as it came; and the changes that it comes to, a row for each different one. */
const DELTA = ident('temp', 'main', '$delta');
const CHANGES = ident('temp', 'main', '$changes');

/**
 * table′ = table + delta, as multisets. `delta` is a relation (a table, or a SELECT in brackets) of the table's columns by
 * their names and `"$n"`, the weight; it is evaluated once, and need not be consolidated. Call it within a transaction.
 *
 * Only as many equal rows go as are retracted. Throws INTERNAL where a row is retracted that is not there. It costs a
 * scan of the columns that tell rows apart, pruned by the delta's values where those have no NULL, when something is
 * retracted, and no scan otherwise.
 *
 * `again`: epochs were done again since the table was written. Sums of doubles are added in any order, so the last bits of
 * what is retracted may be others; a row that is not there is taken for the one whose doubles are nearly the same.
 */
export async function applyChanges(
  connection: DuckConnection,
  table: Sql,
  columns: readonly Column[],
  delta: Sql,
  again = false,
): Promise<void> {
  const rows = await connection.run(
    sql`CREATE OR REPLACE TEMP TABLE "$delta" AS SELECT ${names(columns)}, CAST("$n" AS BIGINT) AS "$n" FROM ${delta} WHERE "$n" <> 0`,
  );
  if (rows === 0) return;
  const [least, greatest] = await numbers(connection, sql`SELECT min("$n"), max("$n") FROM ${DELTA}`);
  if (Number(least) > 0) {
    await connection.run(add(table, columns, DELTA, Number(greatest) > 1));
    return;
  }
  if ((await connection.run(consolidate(columns))) === 0) return;
  const [retracted, most, ...neverNull] = await numbers(
    connection,
    sql`SELECT coalesce(sum(-"$n") FILTER ("$n" < 0), 0)::BIGINT, coalesce(max("$n"), 0)::BIGINT,
      ${join(columns.map(({ name }) => sql`count(*) FILTER ("$n" < 0 AND ${ident(name)} IS NULL) = 0`))} FROM ${CHANGES}`,
  );
  if (Number(retracted) > 0) {
    const near = again && columns.some(isInexact);
    const gone = near
      ? await removeNear(connection, table, columns)
      : await connection.run(remove(table, columns, neverNull));
    if (gone !== Number(retracted)) {
      const message = `${Number(retracted) - gone} of ${Number(retracted)} retracted rows are not in ${table.text}`;
      throw new StreamsqlError('INTERNAL', message);
    }
  }
  if (Number(most) > 0) await connection.run(add(table, columns, CHANGES, Number(most) > 1));
}

const numbers = async (connection: DuckConnection, select: Sql): Promise<readonly unknown[]> =>
  (await connection.table(select)).rows[0] ?? [];

const names = (columns: readonly Column[]): Sql => join(columns.map(({ name }) => ident(name)));
const apart = (i: number): string => `$d${i}`;

function consolidate(columns: readonly Column[]): Sql {
  const extras = tellingApart(columns).map((extra, i) => sql`, ${extra} AS ${ident(apart(i))}`);
  return sql`CREATE OR REPLACE TEMP TABLE "$changes" AS SELECT *, row_number() OVER () AS "$id" FROM (
    SELECT ${names(columns)}${join(extras, '')}, sum("$n")::BIGINT AS "$n" FROM ${DELTA} GROUP BY ALL HAVING sum("$n") <> 0)`;
}

/** Equality lets DuckDB prune the scan by the delta's values, which IS NOT DISTINCT FROM does not. */
function remove(table: Sql, columns: readonly Column[], neverNull: readonly unknown[]): Sql {
  const equal = columns.map(({ name }, i) =>
    neverNull[i] === true
      ? sql`t.${ident(name)} = c.${ident(name)}`
      : sql`t.${ident(name)} IS NOT DISTINCT FROM c.${ident(name)}`,
  );
  const same = tellingApart(columns, 't').map((extra, i) => sql`${extra} IS NOT DISTINCT FROM c.${ident(apart(i))}`);
  return sql`DELETE FROM ${table} WHERE rowid IN (SELECT r FROM (
    SELECT t.rowid AS r, -c."$n" AS n, row_number() OVER (PARTITION BY c."$id") AS k
    FROM ${table} AS t JOIN ${CHANGES} AS c ON c."$n" < 0 AND ${join([...equal, ...same], ' AND ')}) WHERE k <= n)`;
}

const isInexact = ({ type }: Column): boolean => type === 'DOUBLE' || type === 'FLOAT';

/** How far apart, in parts of the greater, two doubles are that were the same. */
const NEAR = 1e-9;

/** The rows that are the same are matched first, then those that nearly are; then what is matched goes. */
async function removeNear(connection: DuckConnection, table: Sql, columns: readonly Column[]): Promise<number> {
  await connection.run(sql`CREATE OR REPLACE TEMP TABLE "$match" AS ${matches(table, columns, false, raw('true'))}`);
  const left = sql`(SELECT c.* REPLACE (c."$n" + coalesce(m.n, 0) AS "$n") FROM ${CHANGES} AS c
    LEFT JOIN (SELECT "$id", count(*) AS n FROM "$match" GROUP BY ALL) AS m USING ("$id"))`;
  const free = sql`t.rowid NOT IN (SELECT r FROM "$match")`;
  await connection.run(sql`INSERT INTO "$match" ${matches(table, columns, true, free, left)}`);
  return connection.run(sql`DELETE FROM ${table} WHERE rowid IN (SELECT r FROM "$match")`);
}

/** Rows of the table with the change that retracts them: of each change as many as it retracts, each row once. */
function matches(table: Sql, columns: readonly Column[], near: boolean, free: Sql, changes = CHANGES): Sql {
  const same = columns.map((column) => {
    const [t, c] = [ident('t', column.name), ident('c', column.name)];
    const equal = sql`${t} IS NOT DISTINCT FROM ${c}`;
    return near && isInexact(column)
      ? sql`(${equal} OR abs(${t} - ${c}) <= ${NEAR} * greatest(abs(${t}), abs(${c})))`
      : equal;
  });
  const exact = near ? [] : tellingApart(columns, 't').map((extra, i) => sql`${extra} IS NOT DISTINCT FROM c.${ident(apart(i))}`); // prettier-ignore
  return sql`SELECT "$id", r FROM (
    SELECT c."$id", t.rowid AS r, -c."$n" AS n, row_number() OVER (PARTITION BY c."$id" ORDER BY t.rowid) AS k,
      row_number() OVER (PARTITION BY t.rowid ORDER BY c."$id") AS once
    FROM ${table} AS t JOIN ${changes} AS c ON c."$n" < 0 AND ${free} AND ${join([...same, ...exact], ' AND ')})
    WHERE k <= n AND once = 1`;
}

function add(table: Sql, columns: readonly Column[], from: Sql, repeated: boolean): Sql {
  const times = repeated ? raw(', UNNEST(range("$n"))') : raw('');
  return sql`INSERT INTO ${table} (${names(columns)}) SELECT ${names(columns)} FROM ${from}${times} WHERE "$n" > 0`;
}
