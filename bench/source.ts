import { literal, raw, sql, type Sql } from '../src/base/sql.ts';
import { BID_COLUMNS, type Query } from './queries.ts';

export type FileFormat = 'ndjson' | 'csv' | 'parquet';

/** Where bids are read from. */
export type Input =
  | { readonly kind: 'file'; readonly format: FileFormat; readonly path: string }
  | { readonly kind: 'kafka'; readonly address: string; readonly topic: string };

const MARK = "WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND";

const columnList = (query: Query): string[] => query.columns.map((column) => `${column} ${BID_COLUMNS[column]}`);

/** The streamsql file of a query over an input. */
export function streamFile(query: Query, input: Input): string {
  const options =
    input.kind === 'kafka'
      ? sql`connector = 'kafka', brokers = ${input.address}, topic = ${input.topic}, format = 'json', bounded = true`
      : sql`connector = 'file', path = ${input.path}, format = ${input.format === 'ndjson' ? 'json' : input.format}`;
  return `CREATE SOURCE bids (${[...columnList(query), MARK].join(', ')}) WITH (${options.text});
CREATE MATERIALIZED VIEW answer AS ${query.stream};
`;
}

/** The relation that DuckDB's batch run reads in the place of `bids`. */
export function batchRelation(query: Query, input: { readonly format: FileFormat; readonly path: string }): Sql {
  const types = raw(`{${query.columns.map((column) => `${column}: '${BID_COLUMNS[column]}'`).join(', ')}}`);
  const path = literal(input.path);
  switch (input.format) {
    case 'ndjson':
      return sql`SELECT * FROM read_json(${path}, format = 'newline_delimited', columns = ${types})`;
    case 'csv':
      return sql`SELECT * FROM read_csv(${path}, header = true, delim = ',', types = ${types})`;
    case 'parquet':
      return sql`SELECT * FROM read_parquet(${path})`;
  }
}

/** A view's rows and a checksum over their values, whatever their order. */
export const digest = (table: Sql): Sql =>
  sql`SELECT concat(count(*), ' rows, checksum ', coalesce(sum(hash(answer)::HUGEINT), 0)) FROM ${table} AS answer`;
