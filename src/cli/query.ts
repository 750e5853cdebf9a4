import { StreamsqlError } from '../base/errors.ts';
import type { ResultTable } from '../base/run.ts';
import { reading } from '../exec/reading.ts';
import { tablesOf } from '../server/client.ts';
import { pointing } from './failure.ts';
import { formatTable, type Format } from './format.ts';
import type { Io } from './io.ts';
import { ask, namedDatabase } from './results-database.ts';

/** `streamsql query DB SQL`: reads a results database, at rest or while a run goes on, and never makes or changes one. */
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

async function read(db: string, text: string, io: Io): Promise<readonly ResultTable[]> {
  const options = { cwd: io.cwd, onWait: (queue: Queue) => io.stderr.write(waits(queue)) };
  return ask(namedDatabase(db, io), {
    running: (engine) => tablesOf(engine.read(text, options)),
    atRest: (connection) => tablesOf(reading(connection, text)),
  });
}

interface Queue {
  readonly running: number;
  readonly before: number;
}

const waits = ({ running, before }: Queue): string =>
  `waiting for ${running === 1 ? 'another query' : `${running} other queries`}${before > 0 ? `, and ${before} that came before` : ''}
`;
