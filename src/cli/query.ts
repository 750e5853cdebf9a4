import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import { raw, sql } from '../base/sql.ts';
import { Duck, type Table } from '../exec/duck.ts';
import { pointing } from './failure.ts';
import { formatTable, type Format } from './format.ts';
import type { Io } from './io.ts';
import { queryError } from '../exec/query-error.ts';

/** `streamsql query DB SQL`: reads a results database, and never makes or changes one. */
export async function queryCommand(
  db: string,
  text: string,
  flags: { readonly format: Format },
  io: Io,
): Promise<number> {
  if (text.trim() === '')
    throw new StreamsqlError('USAGE', 'the SQL is empty', { hint: `${io.command} query ${db} "SELECT …"` });
  const tables = await pointing({ name: '<query>', text }, () => read(db, text, io));
  const texts = tables.map((table) => formatTable(table, flags.format, io.stdout));
  io.stdout.write(texts.join(flags.format === 'json' ? '' : '\n'));
  return 0;
}

async function read(db: string, text: string, io: Io): Promise<readonly Table[]> {
  if (db === ':memory:') {
    throw new StreamsqlError('USAGE', 'a database in memory ends with its run', {
      hint: 'name the file that a run wrote, such as the one given with --db',
    });
  }
  const path = resolve(io.cwd, db);
  if (!existsSync(path)) {
    throw new StreamsqlError('FILE_MISSING', `there is no database ${db}`, {
      hint: `${io.command} run FILE.sql makes FILE.duckdb in the current folder`,
    });
  }
  if (statSync(path).isDirectory()) throw new StreamsqlError('FILE_MISSING', `${db} is a folder, not a database`);
  const duck = await openReadOnly(db, path);
  try {
    const connection = await duck.connect();
    await connection.run(sql`SET TimeZone = 'UTC'`);
    await connection.run(sql`SET errors_as_json = true`);
    return await connection.readTables(raw(text));
  } catch (error) {
    throw queryError(error, text);
  } finally {
    duck.close();
  }
}

async function openReadOnly(db: string, path: string): Promise<Duck> {
  try {
    return await Duck.open(path, { access_mode: 'READ_ONLY' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const holder = /lock is held in (.*?) ?\(PID (\d+)\)/.exec(message);
    if (holder !== null) {
      throw new StreamsqlError('LOCKED', `${db} is in use by process ${holder[2]} (${holder[1]})`, {
        hint: 'ask again when that run has ended, or end it: it keeps what it has',
        cause: error,
      });
    }
    const why = message.split('\n')[0]?.replace(/^\w+ Error: /, '') ?? '';
    throw new StreamsqlError('STATE', `${db} cannot be opened: ${why}`, { cause: error });
  }
}
