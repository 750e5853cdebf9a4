import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StreamsqlError } from '../base/errors.ts';
import { sql } from '../base/sql.ts';
import { Duck, type DuckConnection } from '../exec/duck.ts';
import { databaseAt } from '../server/address.ts';
import { RunningEngine } from '../server/client.ts';
import type { Io } from './io.ts';

/** A results database as it was named: by its file, or by the state folder of its run. */
export interface NamedDatabase {
  readonly name: string;
  readonly db: string;
  readonly state: string | undefined;
}

/** Throws where there is none. */
export function namedDatabase(name: string, io: Io): NamedDatabase {
  if (name === ':memory:') {
    throw new StreamsqlError('USAGE', 'a database in memory ends with its run', {
      hint: 'name the file that a run wrote, such as the one given with --db',
    });
  }
  const { db, state } = databaseAt(name, io.cwd);
  if (state !== undefined && !existsSync(db))
    throw new StreamsqlError('FILE_MISSING', `${name} is a folder, not a database`);
  if (!existsSync(db)) {
    throw new StreamsqlError('FILE_MISSING', `there is no database ${name}`, {
      hint: `${io.command} run FILE.sql makes FILE.duckdb in the current folder`,
    });
  }
  if (statSync(db).isDirectory()) throw new StreamsqlError('FILE_MISSING', `${name} is a folder, not a database`);
  return { name, db, state };
}

export interface Ways<T> {
  /** What to do where a run holds it. */
  readonly running: (engine: RunningEngine) => Promise<T>;
  /** What to do where nobody does. */
  readonly atRest: (connection: DuckConnection) => Promise<T>;
}

/** A run may end, or begin, just while it is asked: then it is asked again. */
const TRIES = 20;
const BETWEEN_MS = 100;

/** Asks a database, whoever holds it. Throws LOCKED where a process does that does not answer. */
export async function ask<T>(database: NamedDatabase, ways: Ways<T>): Promise<T> {
  for (let left = TRIES; ; left--) {
    const engine = await RunningEngine.at(database.db);
    try {
      return await (engine === undefined ? atRest(database, ways.atRest) : ways.running(engine));
    } catch (error) {
      const ended = error instanceof StreamsqlError && error.code === 'LOCKED';
      if (!ended || left === 0 || (engine === undefined && left < TRIES - 2 && !(await isAsked(database)))) throw error;
      await sleep(BETWEEN_MS);
    }
  }
}

const isAsked = async ({ db }: NamedDatabase): Promise<boolean> => (await RunningEngine.at(db)) !== undefined;

async function atRest<T>(database: NamedDatabase, work: (connection: DuckConnection) => Promise<T>): Promise<T> {
  const duck = await openReadOnly(database);
  try {
    const connection = await duck.connect();
    await connection.run(sql`SET TimeZone = 'UTC'`);
    await connection.run(sql`SET errors_as_json = true`);
    return await work(connection);
  } finally {
    duck.close();
  }
}

async function openReadOnly({ name, db }: NamedDatabase): Promise<Duck> {
  try {
    return await Duck.open(db, { access_mode: 'READ_ONLY' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const holder = /lock is held in (.*?) ?\(PID (\d+)\)/.exec(message);
    if (holder !== null) {
      throw new StreamsqlError('LOCKED', `${name} is in use by process ${holder[2]} (${holder[1]}), which does not answer`, {
        hint: 'ask again when that process has ended, or end it: a run keeps what it has',
        cause: error,
      }); // prettier-ignore
    }
    const why = message.split('\n')[0]?.replace(/^\w+ Error: /, '') ?? '';
    throw new StreamsqlError('STATE', `${name} cannot be opened: ${why}`, { cause: error });
  }
}
