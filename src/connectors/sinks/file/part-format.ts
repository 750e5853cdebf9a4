import type { Column } from '../../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../../base/sql.ts';
import { isNested, objectText } from '../../json-text.ts';

export const PART_FORMATS = ['json', 'csv', 'parquet'] as const;
export const COMPRESSIONS = ['none', 'gzip', 'zstd', 'snappy'] as const;

export interface PartFormat {
  readonly kind: (typeof PART_FORMATS)[number];
  readonly compression: (typeof COMPRESSIONS)[number];
}

/** What DuckDB itself takes for Parquet, and for text. */
export const defaultCompression = (kind: PartFormat['kind']): PartFormat['compression'] =>
  kind === 'parquet' ? 'snappy' : 'none';

const SUFFIX = { none: '', gzip: '.gz', zstd: '.zst', snappy: '.sz' } as const;

export const extension = ({ kind, compression }: PartFormat): string =>
  kind === 'parquet' ? kind : `${kind}${SUFFIX[compression]}`;

/** Writes a relation's rows to one file, in their order, each value as the format can hold it without loss. */
export function copyToFile(format: PartFormat, columns: readonly Column[], from: Sql, path: string): Sql {
  // DuckDB's JSON has NaN and Infinity in nested values, which no JSON has.
  const asLines = format.kind === 'json' && columns.some(({ type }) => isNested(type));
  const items = asLines ? jsonLine(columns) : fittedColumns(format, columns);
  // DuckDB's own temporary file is not wanted: the part is written aside already.
  const options = join([...(asLines ? lineOptions(format) : kindOptions(format)), sql`USE_TMP_FILE false`]);
  return sql`COPY (SELECT ${items} FROM ${from}) TO ${path} (${options})`;
}

/** Of the files that `copyToFolders` writes in one folder: their order. */
export const fileOrder = (name: string): number => Number(/^rows_(\d+)_/.exec(name)?.[1] ?? 0);

/**
 * Writes a relation's rows to folders `key=value`, one for each value of the keys, their names escaped as Hive does; the keys
 * are not in the files.
 *
 * The names of the files are of no one else: DuckDB, with names that repeat, writes over the rows of another value that has
 * the same folder (https://github.com/duckdb/duckdb/issues/24308). Numbering the rows keeps their order, which a COPY with
 * PARTITION_BY does not.
 */
export function copyToFolders(
  format: PartFormat,
  columns: readonly Column[],
  keys: readonly Column[],
  from: Sql,
  path: string,
): Sql {
  const number = ident('$number');
  const kept = columns.filter((column) => !keys.includes(column));
  // DuckDB has no PARTITION_BY for JSON (https://github.com/duckdb/duckdb/issues/14927): lines of text are the same.
  const items = format.kind === 'json' ? jsonLine(kept) : fittedColumns(format, kept);
  const folders = keys.map(({ name }) => sql`CAST(${ident(name)} AS VARCHAR) AS ${ident(name)}`);
  const rows = sql`SELECT ${join([items, ...folders])} FROM (SELECT *, row_number() OVER () AS ${number} FROM ${from}) WHERE ${number} > 0`;
  const names = join(keys.map(({ name }) => ident(name)));
  const options = [
    ...(format.kind === 'json' ? lineOptions(format) : kindOptions(format)),
    sql`PARTITION_BY (${names})`,
    sql`FILENAME_PATTERN 'rows_{i}_{uuid}'`,
    sql`FILE_EXTENSION 'tmp'`,
  ];
  return sql`COPY (${rows}) TO ${path} (${join(options)})`;
}

/** The mean size of a row as text, bytes, of the first rows; undefined where only writing it tells. */
export function textSize({ kind, compression }: PartFormat, columns: readonly Column[], from: Sql): Sql | undefined {
  if (kind === 'parquet' || compression !== 'none') return undefined;
  const fields = columns.map(({ name }) => sql`coalesce(strlen(CAST(${ident(name)} AS VARCHAR)), 0) + 1`);
  const size = kind === 'json' ? sql`strlen(${objectText(columns)}) + 1` : join(fields, ' + ');
  return sql`SELECT coalesce(avg(${size}), 0) AS bytes FROM (SELECT * FROM ${from} LIMIT 1000)`;
}

const jsonLine = (columns: readonly Column[]): Sql => sql`${objectText(columns)} AS ${ident('$line')}`;

const lineOptions = (format: PartFormat): readonly Sql[] => [
  raw(`FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\t'`),
  ...compressionOption(format),
];

function kindOptions(format: PartFormat): readonly Sql[] {
  switch (format.kind) {
    case 'json':
      return [sql`FORMAT json`, ...compressionOption(format)];
    case 'csv':
      return [sql`FORMAT csv, HEADER true`, ...compressionOption(format)];
    case 'parquet':
      return [sql`FORMAT parquet`, ...compressionOption(format)];
  }
}

const compressionOption = ({ kind, compression }: PartFormat): readonly Sql[] => [
  sql`COMPRESSION ${kind === 'parquet' && compression === 'none' ? 'uncompressed' : compression}`,
];

const fittedColumns = (format: PartFormat, columns: readonly Column[]): Sql =>
  join(columns.map((column) => sql`${fitted(format.kind, column)} AS ${ident(column.name)}`));

function fitted(kind: PartFormat['kind'], { name, type }: Column): Sql {
  const value = ident(name);
  if (kind === 'parquet') {
    const exact = parquetType(type);
    return exact === type ? value : sql`CAST(${value} AS ${raw(exact)})`;
  }
  // JSON has no NaN and no Infinity: as text, which casts back.
  if (kind === 'json' && /^(DOUBLE|FLOAT)$/.test(type))
    return sql`CASE WHEN isfinite(${value}) THEN to_json(${value}) ELSE to_json(CAST(${value} AS VARCHAR)) END`;
  return value;
}

/** A type's name, where it stands as a type and not as the name of a field or a value of an ENUM. */
const LOSSY = /"(?:[^"]|"")*"|'(?:[^']|'')*'|\b(?:U?HUGEINT|INTERVAL|TIME WITH TIME ZONE)(?=[,)[\]]|$)/g;

/**
 * What a Parquet part has in place of a type that DuckDB would write there with less than it holds: a HUGEINT (sum(BIGINT) is
 * one) becomes a DOUBLE, an INTERVAL loses its microseconds, a time its zone. What does not fit is an error, not a loss.
 */
const parquetType = (type: string): string => type.replace(LOSSY, (found) => EXACT[found] ?? found);

const EXACT: Readonly<Record<string, string>> = {
  HUGEINT: 'DECIMAL(38,0)',
  UHUGEINT: 'DECIMAL(38,0)',
  INTERVAL: 'VARCHAR',
  'TIME WITH TIME ZONE': 'VARCHAR',
};
