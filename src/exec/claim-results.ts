import { StreamsqlError } from '../base/errors.ts';
import { ident, sql } from '../base/sql.ts';
import type { Plan } from '../planner/plan.ts';
import type { DuckConnection } from './duck.ts';
import { lastLogged } from './epoch-log.ts';
import { changesOf, meta, RESULTS_VERSION, rowsOf } from './results-schema.ts';
import { takeIn } from './results-upkeep.ts';

/** What a results database says of the run that wrote it. */
export interface ResultsMark {
  readonly version: number;
  readonly job: string;
  readonly status: string;
}

/** What the attached results database `res` says of itself; undefined where streamsql did not write it. */
export async function resultsMark(connection: DuckConnection): Promise<ResultsMark | undefined> {
  const known = await connection.rows(
    sql`SELECT column_name AS name FROM duckdb_columns() WHERE database_name = 'res' AND schema_name = '_streamsql' AND table_name = 'run'`,
  );
  if (known.length === 0) return undefined;
  const [run] = await connection.rows(sql`SELECT * FROM ${meta('run')}`);
  const [job, status] = [run?.['job'], run?.['status']];
  return {
    version: Number(run?.['version']),
    job: typeof job === 'string' ? job : '',
    status: typeof status === 'string' ? status : '',
  };
}

/**
 * Takes the attached results database `res` for a run that begins: what an earlier run of streamsql left goes if it
 * finished or `fresh` is set, whatever else is there stays, and a name that is taken by something else is refused. `open` makes
 * the run's own tables, in the same transaction.
 */
export async function claimResults(
  connection: DuckConnection,
  path: string,
  plan: Plan,
  run: { readonly fresh: boolean; readonly job: string },
  open: () => Promise<void>,
): Promise<void> {
  const ours = await earlierViews(connection, path, run.fresh);
  const wanted = new Set([...plan.views, ...plan.tables].map(({ name }) => name.toLowerCase()));
  await connection.run(sql`BEGIN`);
  try {
    for (const view of ours) {
      const replaced = run.fresh || wanted.has(view.name.toLowerCase());
      if (!replaced) continue;
      await connection.run(
        view.hidden
          ? sql`DROP VIEW IF EXISTS ${ident('res', 'main', view.name)}`
          : sql`DROP TABLE IF EXISTS ${ident('res', 'main', view.name)}`,
      );
    }
    await connection.run(sql`DROP SCHEMA IF EXISTS ${ident('res', '_streamsql')} CASCADE`);
    await refuseTaken(connection, path, [...wanted]);
    await connection.run(sql`CREATE SCHEMA ${ident('res', '_streamsql')}`);
    await connection.run(
      sql`CREATE TABLE ${meta('run')} (version INTEGER, job VARCHAR, status VARCHAR, pid INTEGER, started_at TIMESTAMP)`,
    );
    await connection.run(
      sql`INSERT INTO ${meta('run')} VALUES (${RESULTS_VERSION}, ${run.job}, 'running', ${process.pid}, now()::TIMESTAMP)`,
    );
    await open();
    await connection.run(sql`COMMIT`);
  } catch (error) {
    await connection.run(sql`ROLLBACK`).catch(() => undefined);
    throw error;
  }
}

/** Takes the results database for a run that goes on. Throws STATE where what it is to add has a name that is taken. */
export async function resumeResults(
  connection: DuckConnection,
  path: string,
  added: ReadonlySet<string>,
): Promise<void> {
  const ours = await connection.rows(
    sql`SELECT name FROM ${meta('views')} UNION ALL SELECT name FROM ${meta('tables')}`,
  );
  const known = new Set(ours.map((row) => String(row['name']).toLowerCase()));
  await refuseTaken(connection, path, [...added].filter((name) => !known.has(name.toLowerCase()))); // prettier-ignore
  await connection.run(sql`UPDATE ${meta('run')} SET status = 'running', pid = ${process.pid}`);
}

/** Throws STATE where something that is not ours has one of the names. */
export async function refuseTaken(connection: DuckConnection, path: string, names: readonly string[]): Promise<void> {
  const taken =
    await connection.rows(sql`SELECT table_name AS name FROM duckdb_tables() WHERE database_name = 'res' AND schema_name = 'main'
    UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = 'res' AND schema_name = 'main' AND NOT internal`);
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const clash = taken.map((row) => String(row['name'])).find((name) => wanted.has(name.toLowerCase()));
  if (clash !== undefined) {
    throw new StreamsqlError('STATE', `${path} has a table ${clash} that streamsql did not make`, {
      hint: 'name the view otherwise, or choose another database with --db',
    });
  }
}

/** Drops the views and tables of these names that streamsql made, and what it keeps of them. */
export async function dropTargets(connection: DuckConnection, names: ReadonlySet<string>): Promise<void> {
  const wanted = new Set([...names].map((name) => name.toLowerCase()));
  const views = await connection.rows(sql`SELECT name, hidden_keys AS hidden FROM ${meta('views')}`);
  const tables = await connection.rows(sql`SELECT name, NULL AS hidden FROM ${meta('tables')}`);
  for (const { name: found, hidden } of [...views, ...tables]) {
    const name = String(found);
    if (!wanted.has(name.toLowerCase())) continue;
    await connection.run(
      hidden === true
        ? sql`DROP VIEW IF EXISTS ${ident('res', 'main', name)}`
        : sql`DROP TABLE IF EXISTS ${ident('res', 'main', name)}`,
    );
    await connection.run(sql`DROP TABLE IF EXISTS ${rowsOf(name)}`);
    await connection.run(sql`DROP TABLE IF EXISTS ${changesOf(name)}`);
    for (const list of ['views', 'tables']) await connection.run(sql`DELETE FROM ${meta(list)} WHERE name = ${name}`);
    await connection.run(sql`DELETE FROM ${meta('late')} WHERE view = ${name}`);
  }
}

async function earlierViews(
  connection: DuckConnection,
  path: string,
  fresh: boolean,
): Promise<readonly { name: string; hidden: boolean }[]> {
  const run = await resultsMark(connection);
  if (run === undefined) return [];
  if (run.version !== RESULTS_VERSION && !fresh) {
    throw new StreamsqlError('STATE', `${path} was written by another version of streamsql`, {
      hint: 'start again with --fresh, or choose another database with --db',
    });
  }
  // Of a run that ended before its first epoch nothing is there to be lost.
  if (run.status !== 'finished' && !fresh && (await lastLogged(connection)) >= 0) {
    throw new StreamsqlError(
      'STATE',
      `the run whose results are in ${path} did not finish, and the state that it would go on from is not there`,
      {
        hint: 'name its state folder with --state; or start again from the beginning with --fresh, which removes the results of that run',
      },
    );
  }
  const views = await connection.rows(sql`SELECT name, hidden_keys FROM ${meta('views')}`).catch(() => []);
  const tables = await connection.rows(sql`SELECT name FROM ${meta('tables')}`).catch(() => []);
  return [...views, ...tables].map((row) => ({ name: String(row['name']), hidden: row['hidden_keys'] === true }));
}

/** Writes down how the run ended, and leaves one file that any DuckDB opens. */
export async function finishResults(connection: DuckConnection, status: 'finished' | 'stopped'): Promise<void> {
  await connection.run(sql`UPDATE ${meta('run')} SET status = ${status}`);
  await takeIn(connection);
}
