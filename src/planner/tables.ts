import { StreamsqlError } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { sameName } from '../base/schema.ts';
import type { ChangeTable, CreateTable, InsertInto } from '../parser/statements.ts';
import { wordFor, type Catalog } from './catalog.ts';
import { newDemand } from './context.ts';
import type { TableNode } from './plan-sources.ts';
import type { SqlService } from './sql-service.ts';
import type { Capture, TableChange, TableService } from './table-service.ts';

export interface TableHost {
  readonly service: SqlService;
  readonly tables: TableService;
}

/** Makes the table, and its node. */
export async function createTable(host: TableHost, catalog: Catalog, statement: CreateTable): Promise<TableNode> {
  const name = statement.name.text;
  const { columns, key } = await host.tables.create(name, statement.sql).catch((error: unknown) => {
    throw streamsAreNotRead(catalog, error);
  });
  await host.service.declare(name, columns);
  return { kind: 'table', id: name, name, columns, key, appendOnly: false, demand: newDemand() };
}

/** A change as it is run. Throws UNSUPPORTED where the target is no table. */
export function tableChange(catalog: Catalog, statement: ChangeTable | InsertInto): TableChange {
  const entry = catalog.need(statement.target);
  if (entry.kind !== 'table') {
    const verb = statement.kind === 'insert' ? 'insert' : statement.verb;
    throw new StreamsqlError(
      'UNSUPPORTED',
      `${verb.toUpperCase()} changes a table; ${entry.name} is a ${wordFor(entry)}`,
      {
        span: statement.target.span,
        hint: entry.kind === 'sink' ? 'what goes to a sink is written INSERT INTO name SELECT …' : undefined,
      },
    );
  }
  if (statement.kind === 'insert' && statement.query.emit !== undefined) {
    throw new StreamsqlError('UNSUPPORTED', 'an INSERT into a table runs once: there is nothing to EMIT', {
      span: statement.query.emit.span,
      hint: 'CREATE MATERIALIZED VIEW name AS SELECT …, whose table follows its input',
    });
  }
  return { table: entry.node, sql: statement.sql, capture: captureOf(entry.node, statement) };
}

function captureOf(table: TableNode, statement: ChangeTable | InsertInto): Capture {
  const keyed = table.key.length > 0;
  if (statement.kind === 'insert') return 'inserted';
  switch (statement.verb) {
    case 'insert':
      return !statement.conflicts ? 'inserted' : keyed ? 'keys' : 'all';
    case 'delete':
      return 'deleted';
    case 'update': {
      const movesKeys = statement.assigned.some((name) => table.key.some((key) => sameName(key, name)));
      return keyed && !movesKeys ? 'keys' : 'all';
    }
  }
}

/** DuckDB does not know the streams here; what it calls missing may be one. */
export function streamsAreNotRead(catalog: Catalog, error: unknown): unknown {
  if (!(error instanceof StreamsqlError)) return error;
  const missing = /^Table with name (\S+) does not exist/.exec(error.message)?.[1];
  if (missing === undefined) return error;
  const entry = catalog.get(missing);
  if (entry === undefined) {
    const tables = [...catalog.entries.values()].filter((other) => other.kind === 'table');
    const near = nearest(
      missing,
      tables.map((table) => table.name),
    );
    const hint = near === undefined ? 'CREATE TABLE it first' : `did you mean ${near}?`;
    return new StreamsqlError('BIND', `there is no table ${missing}`, { span: error.span, hint });
  }
  if (entry.kind === 'table') return error;
  return new StreamsqlError(
    'UNSUPPORTED',
    `this statement runs once, over tables and files; ${entry.name} is a ${wordFor(entry)}, whose rows change`,
    { span: error.span, hint: 'CREATE MATERIALIZED VIEW name AS SELECT …, whose table follows its input' },
  );
}
