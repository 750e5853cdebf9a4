import { StreamsqlError } from '../base/errors.ts';
import type { Declared, ResultTable } from '../base/run.ts';
import type { Column } from '../base/schema.ts';
import type { Describe, Show } from '../parser/statements.ts';
import { wordFor, type CatalogEntry } from './catalog.ts';
import { metadataOf } from './metadata.ts';
import type { Planner } from './planner.ts';

const text = (...names: readonly string[]): readonly Column[] => names.map((name) => ({ name, type: 'VARCHAR' }));

/** SHOW TABLES, SOURCES, VIEWS, SINKS, CREATE name, or a setting. */
export async function showAnswer(
  planner: Planner,
  statement: Show,
  setting: (name: string) => Promise<string | undefined>,
): Promise<ResultTable> {
  const entries = [...planner.entries.values()];
  const rows = (kinds: readonly CatalogEntry['kind'][]): readonly (readonly string[])[] =>
    entries.filter((entry) => kinds.includes(entry.kind)).map((entry) => [entry.name, wordFor(entry)]);
  switch (statement.what) {
    case 'tables':
      return { columns: text('name', 'kind'), rows: rows(['source', 'table', 'view', 'materialized', 'sink']) };
    case 'sources':
      return { columns: text('name', 'kind'), rows: rows(['source']) };
    case 'views':
      return { columns: text('name', 'kind'), rows: rows(['view', 'materialized']) };
    case 'sinks':
      return { columns: text('name', 'kind'), rows: rows(['sink']) };
    case 'create': {
      const entry = statement.name === undefined ? undefined : planner.entry(statement.name);
      return { columns: text('name', 'sql'), rows: entry === undefined ? [] : [[entry.name, entry.text]] };
    }
    case 'variable': {
      const name = statement.name?.text ?? '';
      const value = await setting(name);
      if (value === undefined) {
        throw new StreamsqlError('CATALOG', `there is no setting ${name}`, {
          span: statement.name?.span,
          hint: 'SHOW takes TABLES, SOURCES, VIEWS, SINKS, CREATE name, timezone, batch_interval, max_batch_rows, checkpoint_interval',
        });
      }
      return { columns: text(name), rows: [[value]] };
    }
  }
}

export function describeAnswer(planner: Planner, statement: Describe): ResultTable {
  const entry = planner.entry(statement.name);
  const columns = columnsOf(entry);
  const metadata = entry.kind === 'source' ? metadataOf(entry.node) : new Map<string, string>();
  if (metadata.size > 0) {
    const rows = columns.map(({ name, type }) => [name, type, metadata.get(name) ?? '']);
    return { columns: text('column_name', 'column_type', 'extra'), rows };
  }
  return { columns: text('column_name', 'column_type'), rows: columns.map((column) => [column.name, column.type]) };
}

function columnsOf(entry: CatalogEntry): readonly Column[] {
  switch (entry.kind) {
    case 'source':
    case 'table':
      return entry.node.columns;
    case 'view':
      return entry.columns;
    case 'materialized':
      return entry.view.columns;
    case 'sink':
      return entry.sink.columns;
  }
}

/** What is declared, for those who help to write more. */
export const declaredOf = (planner: Planner): readonly Declared[] =>
  [...planner.entries.values()].map((entry) => ({
    name: entry.name,
    kind: entry.kind === 'materialized' ? 'materialized view' : entry.kind,
    columns: columnsOf(entry).map(({ name, type }) => ({ name, type })),
    sources: planner.sourcesOf(entry),
    ...(entry.kind === 'materialized' && entry.view.order !== undefined && { order: entry.view.order }),
  }));
