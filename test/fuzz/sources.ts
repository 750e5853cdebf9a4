import type { Column } from './node.ts';

/** The sources and tables that queries read. */

export const SOURCE_COLUMNS = [
  { name: 'k', type: 'num' },
  { name: 'v', type: 'num' },
  { name: 's', type: 'str' },
  { name: 'd', type: 'dbl' },
  { name: 'ts', type: 'ts' },
] as const satisfies readonly Column[];

export const SOURCES = ['a', 'b'] as const;

const VALUE_COLUMNS = SOURCE_COLUMNS.slice(0, 4);

export const TABLES = {
  t: { columns: [{ name: 'id', type: 'num' }, ...VALUE_COLUMNS], ddl: 'id INTEGER PRIMARY KEY, k INTEGER, v BIGINT, s VARCHAR, d DOUBLE' },
  u: { columns: VALUE_COLUMNS, ddl: 'k INTEGER, v BIGINT, s VARCHAR, d DOUBLE' },
} as const satisfies Readonly<Record<string, { columns: readonly Column[]; ddl: string }>>; // prettier-ignore

export const SOURCE_DDL = 'k INTEGER, v BIGINT, s VARCHAR, d DOUBLE, ts TIMESTAMP';

/** Where the batch answer finds a source's rows with the watermark (`"$wm"`) that each met. */
export const rawTable = (source: string): string => `raw_${source}`;
