import { ident } from '../base/sql.ts';
import type { MappedText, Query, Select } from '../parser/statements.ts';
import { tokenize } from '../parser/tokens.ts';
import { baseTables, text } from './ast.ts';
import { bindText } from './bind-text.ts';
import type { CatalogEntry } from './catalog.ts';
import type { Planning } from './planning.ts';

type PlainView = Extract<CatalogEntry, { kind: 'view' }>;

/** What a SELECT over what is kept asks of the results, with the plain views that it reads in it. */
export type Snapshot = Pick<MappedText, 'text' | 'origin'>;

/** Undefined where it reads a source, itself or through plain views, and so runs on and on. */
export async function snapshotOf(planning: Planning, { query }: Select): Promise<Snapshot | undefined> {
  const views = new Set<PlainView>();
  if (await reachesSource(planning, query, views)) return undefined;
  // In the order in which they were declared, which is that in which they read each other.
  const parts = [...planning.catalog.entries.values()].flatMap((entry) => {
    if (entry.kind !== 'view' || !views.has(entry)) return [];
    const names = entry.statement.columnNames.map((name) => ident(name.text).text);
    const columns = names.length === 0 ? '' : ` (${names.join(', ')})`;
    return `${ident(entry.name).text}${columns} AS (${entry.statement.query.sql.text})`;
  });
  return parts.length === 0 ? query.sql : withViews(query.sql, parts.join(', '));
}

async function reachesSource(planning: Planning, query: Query, views: Set<PlainView>): Promise<boolean> {
  if (query.emit !== undefined || bindText(query.sql).text !== query.sql.text) return true;
  const tree = await planning.host.service.parse(query.sql);
  for (const node of baseTables(tree)) {
    const entry = planning.catalog.get(text(node['table_name']));
    if (entry?.kind === 'source') return true;
    if (entry?.kind !== 'view' || views.has(entry)) continue;
    views.add(entry);
    if (await reachesSource(planning, entry.statement.query, views)) return true;
  }
  return false;
}

/** Puts them before all that the query begins with, after its own WITH if it has one. */
function withViews(sql: MappedText, views: string): Snapshot {
  const [first, second] = tokenize(sql.text);
  const has = first?.key === 'WITH';
  const at = has ? ((second?.key === 'RECURSIVE' ? second : first)?.span.end ?? 0) : 0;
  const added = has ? ` ${views},` : `WITH ${views} `;
  return {
    text: sql.text.slice(0, at) + added + sql.text.slice(at),
    origin: (offset) => sql.origin(offset < at ? offset : Math.max(at, offset - added.length)),
  };
}
