import { sameName, type Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import type { Delivery } from './slicing.ts';
import { TestError } from './test-error.ts';

/** What a feed gives the source that it stands for. */
export interface Feed {
  readonly name: string;
  /** The columns of a row. */
  readonly columns: readonly Column[];
  /** All that the case will ever deliver. */
  readonly records: readonly Delivery[];
}

/** A SELECT of the rows in order: each value cast to its column's type by itself, whatever stands in the other rows. */
export function rowsQuery(feed: Feed, rows: readonly Delivery[]): Sql {
  const values = rows.map((row) => sql`(${join(cells(feed, row))})`);
  const names = feed.columns.map((column) => ident(column.name));
  return sql`SELECT * FROM (VALUES ${join(values)}) AS fed(${join(names)})`;
}

function cells(feed: Feed, { columns: named, record }: Delivery): readonly Sql[] {
  if (record.kind !== 'row') return [];
  for (const name of named) {
    if (feed.columns.some((column) => sameName(column.name, name.text))) continue;
    const known = feed.columns.map((column) => column.name).join(', ');
    throw new TestError(
      'BIND',
      `the source ${feed.name} has no column ${name.text} to feed`,
      name.span,
      `there are ${known}`,
    );
  }
  const order = named.length === 0 ? feed.columns.map((column) => column.name) : named.map((name) => name.text);
  if (record.cells.length !== order.length) {
    const [have, want] = [record.cells.length, order.length];
    throw new TestError(
      'BIND',
      `this row has ${have} values for ${want} columns`,
      record.span,
      `the columns are ${order.join(', ')}`,
    );
  }
  return feed.columns.map((column) =>
    cell(column, record.cells[order.findIndex((name) => sameName(name, column.name))]),
  );
}

const cell = (column: Column, expression: string | undefined): Sql =>
  sql`CAST(${raw(expression === undefined ? 'NULL' : `(${expression})`)} AS ${raw(column.type)})`;
