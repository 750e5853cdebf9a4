import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import { ident, sql } from '../base/sql.ts';
import type { Plan } from '../planner/plan.ts';
import type { DuckConnection } from './duck.ts';
import { meta, RESULTS_VERSION } from './results-schema.ts';

const MARK = 'streamsql.json';

interface Mark {
  readonly version: number;
  readonly db: string;
  readonly status: 'running' | 'stopped' | 'finished';
  readonly pid: number;
}

/** Takes a state folder for a run, or refuses it: what an unfinished run left there is not overwritten. */
export function claimState(folder: string, db: string, fresh: boolean): void {
  const mark = readMark(folder);
  if (mark === undefined && existsSync(folder) && readdirSync(folder).length > 0) {
    throw new StreamsqlError('STATE', `the folder ${folder} was not made by streamsql`, {
      hint: 'choose another with --state',
    });
  }
  if (mark !== undefined && mark.status === 'running' && mark.pid !== process.pid && isAlive(mark.pid)) {
    throw new StreamsqlError('LOCKED', `the state ${folder} is in use by the process ${mark.pid}`);
  }
  if (mark !== undefined && mark.status !== 'finished' && !fresh) {
    throw new StreamsqlError(
      'STATE',
      `the run whose state is in ${folder} did not finish, and it cannot be resumed yet`,
      {
        hint: 'start again from the beginning with --fresh, which removes the state and the results of that run',
      },
    );
  }
  if (mark !== undefined) rmSync(folder, { recursive: true });
  mkdirSync(folder, { recursive: true });
  writeMark(folder, { version: RESULTS_VERSION, db, status: 'running', pid: process.pid });
}

export function finishState(folder: string, status: 'finished' | 'stopped'): void {
  const mark = readMark(folder);
  if (mark !== undefined) writeMark(folder, { ...mark, status });
}

function readMark(folder: string): Mark | undefined {
  const path = joinPath(folder, MARK);
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Mark;
  } catch (error) {
    throw new StreamsqlError('STATE', `${path} cannot be read`, {
      hint: 'start again with another --state',
      cause: error,
    });
  }
}

function writeMark(folder: string, mark: Mark): void {
  writeFileSync(joinPath(folder, MARK), `${JSON.stringify(mark, null, 2)}\n`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Takes the attached results database `res` for a run: what an earlier run of streamsql left goes if it finished or
 * `fresh` is set, whatever else is there stays, and a name that is taken by something else is refused.
 */
export async function claimResults(
  connection: DuckConnection,
  path: string,
  plan: Plan,
  fresh: boolean,
): Promise<void> {
  const ours = await earlierViews(connection, path, fresh);
  const wanted = new Set([...plan.views, ...plan.tables].map(({ name }) => name.toLowerCase()));
  await connection.run(sql`BEGIN`);
  for (const view of ours) {
    const replaced = fresh || wanted.has(view.name.toLowerCase());
    if (!replaced) continue;
    await connection.run(
      view.hidden
        ? sql`DROP VIEW IF EXISTS ${ident('res', 'main', view.name)}`
        : sql`DROP TABLE IF EXISTS ${ident('res', 'main', view.name)}`,
    );
  }
  await connection.run(sql`DROP SCHEMA IF EXISTS ${ident('res', '_streamsql')} CASCADE`);
  await connection.run(sql`COMMIT`);
  const taken =
    await connection.rows(sql`SELECT table_name AS name FROM duckdb_tables() WHERE database_name = 'res' AND schema_name = 'main'
    UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = 'res' AND schema_name = 'main' AND NOT internal`);
  const clash = taken.map((row) => String(row['name'])).find((name) => wanted.has(name.toLowerCase()));
  if (clash !== undefined) {
    throw new StreamsqlError('STATE', `${path} has a table ${clash} that streamsql did not make`, {
      hint: 'name the view otherwise, or choose another database with --db',
    });
  }
  await connection.run(sql`CREATE SCHEMA ${ident('res', '_streamsql')}`);
  await connection.run(
    sql`CREATE TABLE ${meta('run')} (version INTEGER, status VARCHAR, pid INTEGER, started_at TIMESTAMP)`,
  );
  await connection.run(
    sql`INSERT INTO ${meta('run')} VALUES (${RESULTS_VERSION}, 'running', ${process.pid}, now()::TIMESTAMP)`,
  );
}

async function earlierViews(
  connection: DuckConnection,
  path: string,
  fresh: boolean,
): Promise<readonly { name: string; hidden: boolean }[]> {
  const [known] = await connection.rows(
    sql`SELECT count(*) AS n FROM duckdb_tables() WHERE database_name = 'res' AND schema_name = '_streamsql' AND table_name = 'run'`,
  );
  if (Number(known?.['n']) === 0) return [];
  const [run] = await connection.rows(sql`SELECT version, status FROM ${meta('run')}`);
  if (Number(run?.['version']) !== RESULTS_VERSION && !fresh) {
    throw new StreamsqlError('STATE', `${path} was written by another version of streamsql`, {
      hint: 'start again with --fresh, or choose another database with --db',
    });
  }
  if (run?.['status'] !== 'finished' && !fresh) {
    throw new StreamsqlError(
      'STATE',
      `the run whose results are in ${path} did not finish, and it cannot be resumed yet`,
      {
        hint: 'start again from the beginning with --fresh, which removes the results of that run',
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
  try {
    await connection.run(sql`CHECKPOINT res`);
  } catch (error) {
    // Someone reads at this moment: what was committed is in the write-ahead log, which is taken in when the file is closed.
    if (!(error instanceof Error) || !error.message.includes('other write transactions active')) throw error;
  }
}
