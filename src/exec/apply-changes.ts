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
 * what is retracted may be others; a row that is not there is taken for the one whose doubles are nearest.
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
      ? await removeNear(connection, table, columns, Number(retracted))
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

/** Doubles, also within lists, structs and maps. */
const isInexact = ({ type }: Column): boolean => /\b(DOUBLE|FLOAT)\b/.test(type);
const isNumber = ({ type }: Column): boolean => type === 'DOUBLE' || type === 'FLOAT';

/** How far apart, in parts of the greater, two doubles are that were the same. */
const NEAR = 1e-9;

/** How a row is found: as it is; by doubles that are nearly the same; by the other columns, with the doubles that are nearest. */
const WAYS = ['same', 'near', 'nearest'] as const;

/**
 * The rows that are the same are matched first, then those that nearly are; then, for a sum in which much cancels out is nowhere
 * near, those that are nearest among the rows with the same other columns. What is matched goes.
 */
async function removeNear(
  connection: DuckConnection,
  table: Sql,
  columns: readonly Column[],
  retracted: number,
): Promise<number> {
  await connection.run(sql`CREATE OR REPLACE TEMP TABLE "$match" ("$id" BIGINT, r BIGINT)`);
  let left = retracted;
  for (const way of WAYS) {
    // A row that two changes want is the one's; the other one may still find another.
    for (let found = -1; found !== 0 && left > 0; left -= found)
      found = await connection.run(sql`INSERT INTO "$match" ${matches(table, columns, way)}`);
  }
  return connection.run(sql`DELETE FROM ${table} WHERE rowid IN (SELECT r FROM "$match")`);
}

/** Rows of the table with the change that retracts them, of those not matched yet: of each change as many as it retracts, each row once. */
function matches(table: Sql, columns: readonly Column[], way: (typeof WAYS)[number]): Sql {
  const same = columns.flatMap((column) => {
    const [t, c] = [ident('t', column.name), ident('c', column.name)];
    const equal = sql`${t} IS NOT DISTINCT FROM ${c}`;
    if (way === 'same' || !isInexact(column)) return [equal];
    if (way === 'nearest') return [];
    return isNumber(column)
      ? [sql`(${equal} OR abs(${t} - ${c}) <= ${NEAR} * greatest(abs(${t}), abs(${c})))`]
      : [equal];
  });
  const exact = way === 'same' ? tellingApart(columns, 't').map((extra, i) => sql`${extra} IS NOT DISTINCT FROM c.${ident(apart(i))}`) : []; // prettier-ignore
  const apartBy = columns.filter(isNumber).map(({ name }) => sql`coalesce(abs(${ident('t', name)} - ${ident('c', name)}), 0)`); // prettier-ignore
  const distance = way === 'nearest' && apartBy.length > 0 ? join(apartBy, ' + ') : raw('0');
  const left = sql`(SELECT c.* REPLACE (c."$n" + coalesce(m.n, 0) AS "$n") FROM ${CHANGES} AS c
    LEFT JOIN (SELECT "$id", count(*) AS n FROM "$match" GROUP BY ALL) AS m USING ("$id"))`;
  return sql`SELECT "$id", r FROM (
    SELECT c."$id", t.rowid AS r, -c."$n" AS n, row_number() OVER (PARTITION BY c."$id" ORDER BY ${distance}, t.rowid) AS k,
      row_number() OVER (PARTITION BY t.rowid ORDER BY ${distance}, c."$id") AS once
    FROM ${table} AS t JOIN ${left} AS c ON c."$n" < 0 AND t.rowid NOT IN (SELECT r FROM "$match")
      AND ${join([raw('true'), ...same, ...exact], ' AND ')})
    WHERE k <= n AND once = 1`;
}

function add(table: Sql, columns: readonly Column[], from: Sql, repeated: boolean): Sql {
  const times = repeated ? raw(', UNNEST(range("$n"))') : raw('');
  return sql`INSERT INTO ${table} (${names(columns)}) SELECT ${names(columns)} FROM ${from}${times} WHERE "$n" > 0`;
}
