// Writes the events of the Nexmark generator as files of JSON lines, one a table, once each:
// node bench/nexmark-data.ts EVENTS FOLDER
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { ident, join, literal, sql } from '../src/base/sql.ts';
import { EVENT_KINDS, ordinalFrom } from '../src/connectors/nexmark/events.ts';
import { selectRows } from '../src/connectors/nexmark/table.ts';
import { Duck } from '../src/exec/duck.ts';
import { NEXMARK_TABLES, nexmarkFile } from './nexmark-queries.ts';

/** The generator's own default. */
const SEED = 1;

const [eventsText, folder] = process.argv.slice(2);
const events = Number(eventsText);
if (!Number.isSafeInteger(events) || events < 1 || folder === undefined) {
  console.error('usage: node bench/nexmark-data.ts EVENTS FOLDER');
  process.exit(2);
}

const duck = await Duck.open(':memory:');
const connection = await duck.connect();
mkdirSync(folder, { recursive: true });
for (const kind of EVENT_KINDS) {
  const file = nexmarkFile(folder, events, kind);
  if (existsSync(file)) continue;
  const columns = NEXMARK_TABLES[kind].columns.map((column) => ({ column, name: column.name, type: column.type }));
  const written = columns.map(({ name, type }) =>
    type === 'TIMESTAMP' ? sql`strftime(${ident(name)}, '%Y-%m-%d %H:%M:%S.%g') AS ${ident(name)}` : ident(name),
  );
  const rows = selectRows(kind, columns, SEED, [0, ordinalFrom(kind, events)]);
  const unfinished = `${file}.unfinished`;
  await connection.run(sql`COPY (SELECT ${join(written)} FROM (${rows})) TO ${literal(unfinished)} (FORMAT json)`);
  renameSync(unfinished, file);
}
duck.close();
