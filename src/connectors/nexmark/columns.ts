import type { SourceDeclaration } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { nearest } from '../../base/options.ts';
import { sameName, type Column } from '../../base/schema.ts';
import type { NexmarkColumn, NexmarkTable, ProjectedColumn } from './table.ts';

/** The declared columns of the table in their order, or all of its own where none are declared. */
export function project(declaration: SourceDeclaration, table: NexmarkTable): readonly ProjectedColumn[] {
  if (declaration.columns.length === 0)
    return table.columns.map((column) => ({ column, name: column.name, type: column.type }));
  return declaration.columns.map((declared) => projectOne(declared, declaration, table));
}

function projectOne(declared: Column, { name, span }: SourceDeclaration, table: NexmarkTable): ProjectedColumn {
  const column = table.columns.find((candidate) => sameName(candidate.name, declared.name));
  if (column === undefined) {
    const names = table.columns.map((candidate) => candidate.name);
    const near = nearest(declared.name, names);
    throw new StreamsqlError('BIND', `nexmark's ${table.kind} has no column ${declared.name}`, {
      span,
      hint: near === undefined ? `it has ${names.join(', ')}` : `did you mean ${near}?`,
    });
  }
  const type = typeOf(column, declared.type);
  if (type === undefined) {
    throw new StreamsqlError('BIND', `column ${declared.name} of ${name} is a ${column.type}, not ${declared.type}`, {
      span,
      hint: `declare it as ${column.type}, or leave out the columns: nexmark knows its own`,
    });
  }
  return { column, name: declared.name, type };
}

/** The type to give where `declared` is the column's own by any of its names; event times may have a zone. */
function typeOf(column: NexmarkColumn, declared: string): string | undefined {
  const wanted = declared.trim().toUpperCase().replace(/\s+/g, ' ');
  if (NAMES_OF_TYPES[column.type].includes(wanted)) return column.type;
  return column.type === 'TIMESTAMP' && ZONED.includes(wanted) ? 'TIMESTAMP WITH TIME ZONE' : undefined;
}

const ZONED = ['TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ'];
const NAMES_OF_TYPES: Readonly<Record<NexmarkColumn['type'], readonly string[]>> = {
  BIGINT: ['BIGINT', 'INT8', 'LONG'],
  VARCHAR: ['VARCHAR', 'STRING', 'TEXT'],
  TIMESTAMP: ['TIMESTAMP', 'DATETIME', 'TIMESTAMP WITHOUT TIME ZONE'],
};
