import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { ident, join, literal, raw, sql } from '../base/sql.ts';
import type { Manifest, OperatorState } from '../exec/checkpoint/manifest.ts';
import { noPattern, restoreTable } from '../exec/checkpoint/restore-table.ts';
import { Duck, type DuckConnection } from '../exec/duck.ts';
import type { Section } from './sections.ts';
import { operatorsSection } from './state-overview.ts';
import { counted } from './units.ts';

/**
 * The operators of a view (or sink, table, source) and the first `limit` rows of each of their tables, put together from
 * their segments. Throws CATALOG where there is none of the name.
 */
export async function content(
  manifest: Manifest,
  { folder, view, limit }: { readonly folder: string; readonly view: string; readonly limit: number },
): Promise<readonly Section[]> {
  const operators = operatorsOf(manifest, view);
  const sections = [operatorsSection(operators, true)];
  const duck = await Duck.open(':memory:');
  try {
    const connection = await duck.connect();
    await confine(connection, folder);
    let n = 0;
    for (const { key, tables } of operators) {
      for (const table of tables) {
        const target = ident(`t${n++}`);
        await restoreTable(connection, target, table, folder);
        const name = `${key} ${table.name.trim()}`.trimEnd();
        const shown = table.rows > limit ? `, the first ${limit}` : '';
        const rows = await connection.table(sql`SELECT * FROM ${target} LIMIT ${limit}`);
        sections.push({ name, note: `${counted(table.rows, 'row')}${shown}`, table: rows });
        await connection.run(sql`DROP TABLE ${target}`);
      }
    }
  } finally {
    duck.close();
  }
  return sections;
}

/** A manifest's SQL reads the state folder, and nothing else. */
async function confine(connection: DuckConnection, folder: string): Promise<void> {
  await connection.run(sql`SET TimeZone = 'UTC'`);
  await connection.run(sql`SET temp_directory = ${joinPath(tmpdir(), `streamsql-state-${process.pid}`)}`);
  const folders = [folder, noPattern(folder)].map((path) => literal(path));
  await connection.run(sql`SET allowed_directories = [${join(folders)}]`);
  await connection.run(raw('SET enable_external_access = false'));
}

function operatorsOf({ operators, targets, sources }: Manifest, view: string): readonly OperatorState[] {
  const wanted = view.toLowerCase();
  const found = operators.filter(({ key }) => ownerOf(key).toLowerCase() === wanted);
  const names = new Set(
    [...targets, ...sources].map(({ name }) => name).concat(operators.map(({ key }) => ownerOf(key))),
  );
  if (found.length === 0 && ![...names].some((name) => name.toLowerCase() === wanted)) {
    const near = nearest(view, [...names]);
    throw new StreamsqlError('CATALOG', `the checkpoint knows nothing of the name ${view}`, {
      hint: near === undefined ? `it has ${[...names].join(', ')}` : `did you mean ${near}?`,
    });
  }
  return found;
}

/** A key is the name of whose it is, and its place there: `hot/2`. */
const ownerOf = (key: string): string => key.slice(0, key.lastIndexOf('/'));
