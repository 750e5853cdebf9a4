import type { SinkConnector, SinkContext, SinkDeclaration, SinkWriter } from '../../base/connector.ts';
import { ident, join, sql, type Sql } from '../../base/sql.ts';

/**
 * Shows the rows of each epoch as soon as the epoch is committed.
 *
 * @example CREATE SINK out WITH (connector = 'print', limit = 10) AS SELECT auction, price FROM bids WHERE price > 1000000;
 */
export const printSink: SinkConnector = {
  name: 'print',
  doc: 'Shows the rows of each epoch; of results that change the changes, each after an op: + for a row that comes, - for one that goes.',
  options: {
    limit: {
      type: 'integer',
      min: 1,
      doc: 'The most rows to show of one epoch, its first ones; all of them by default.',
    },
  },
  changelog: () => 'of changes',
  plan: (declaration) => ({ open: (context) => openPrint(declaration, context) }),
};

function openPrint({ name, columns, options }: SinkDeclaration, context: SinkContext): SinkWriter {
  const staged = new Map<number, readonly Readonly<Record<string, unknown>>[]>();
  const items = join(columns.map((column) => ident(column.name)));
  const limit = typeof options['limit'] === 'number' ? sql` LIMIT ${options['limit']}` : sql``;
  return {
    open: () => Promise.resolve(),
    isPublished: () => Promise.resolve(false),
    async stage(epoch: number, delta: Sql, rows: number): Promise<void> {
      if (rows > 0) staged.set(epoch, await context.query(sql`SELECT ${items} FROM ${delta}${limit}`));
    },
    publish(epoch: number): Promise<void> {
      const rows = staged.get(epoch);
      staged.delete(epoch);
      if (rows !== undefined) context.print(name, columns, rows);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
