import { StreamsqlError } from '../base/errors.ts';
import type { Drop } from '../parser/statements.ts';
import type { CatalogEntry } from './catalog.ts';
import type { Planning } from './planning.ts';

export async function drop(planning: Planning, statement: Drop): Promise<void> {
  const entry = planning.catalog.get(statement.name.text);
  if (entry === undefined && statement.ifExists) return;
  const found = planning.catalog.need(statement.name);
  const { entries, targets } = planning.catalog;
  const reader =
    [...entries.values()].find((other) => other !== found && reads(other, found.name)) ??
    targets.find(({ name, query = '' }) => name !== found.name && mentions(query, found.name));
  if (reader !== undefined) {
    throw new StreamsqlError('CATALOG', `${found.name} cannot be dropped: ${reader.name} reads it`, {
      span: statement.name.span,
      hint: `DROP ${reader.name} first`,
    });
  }
  planning.catalog.entries.delete(found.name.toLowerCase());
  if (found.kind === 'table') await planning.host.tables.drop(found.name);
  if (found.kind === 'sink') {
    const gone = planning.catalog.targets.findIndex((target) => target.name === found.name);
    if (gone >= 0) planning.catalog.targets.splice(gone, 1);
  }
  await planning.host.service.undeclare(found.name);
}

function reads(entry: CatalogEntry, name: string): boolean {
  const text = entry.kind === 'view' || entry.kind === 'materialized' || entry.kind === 'sink' ? entry.text : '';
  const body = text.slice(Math.max(0, text.search(/\bAS\b/i)));
  return mentions(body, name);
}

const mentions = (query: string, name: string): boolean =>
  new RegExp(`(?<![\\w.])"?${name.replace(/[^\w]/g, '\\$&')}"?(?!\\w)`, 'i').test(query);
