import { ident, sql, type Sql } from '../base/sql.ts';

/** The version of what is written below; a database of another version is refused. */
export const RESULTS_VERSION = 2;

export const meta = (name: string): Sql => ident('res', '_streamsql', name);

/** Where the changes of a user's table are kept, epoch by epoch, until no recovery can need them. */
export const changesOf = (table: string): Sql => meta(`changes of ${table}`);

/** Where the rows of a live view are whose keys are not all among its columns. */
export const rowsOf = (view: string): Sql => meta(`rows of ${view}`);

/** The record of a run: what was read, when, and what became of it. Offsets and watermarks are those of the last epoch. */
export const metaTables = (at: (name: string) => Sql): readonly Sql[] => [
  sql`CREATE TABLE ${at('views')} (name VARCHAR, sql VARCHAR, emit VARCHAR, hidden_keys BOOLEAN)`,
  sql`CREATE TABLE ${at('tables')} (name VARCHAR, key VARCHAR[])`,
  sql`CREATE TABLE ${at('statements')} (sql VARCHAR)`,
  sql`CREATE TABLE ${at('sources')} (name VARCHAR, connector VARCHAR, bounded BOOLEAN, event_time VARCHAR)`,
  sql`CREATE TABLE ${at('epochs')} (
    epoch BIGINT, committed_at TIMESTAMP, clock TIMESTAMP, closing BOOLEAN, rows BIGINT,
    ranges STRUCT(source VARCHAR, partition VARCHAR, "from" BIGINT, "to" BIGINT, records BIGINT, crc32 UINTEGER, bytes BIGINT)[],
    offsets STRUCT(source VARCHAR, partition VARCHAR, position BIGINT)[],
    watermarks STRUCT(source VARCHAR, watermark TIMESTAMP, announced BIGINT)[],
    decode_ms DOUBLE, run_ms DOUBLE)`,
  sql`CREATE TABLE ${at('late')} (
    epoch BIGINT, view VARCHAR, source VARCHAR, partition VARCHAR, "offset" BIGINT, watermark TIMESTAMP, partly BOOLEAN, payload VARCHAR)`,
  sql`CREATE TABLE ${at('dead_letters')} (
    epoch BIGINT, source VARCHAR, partition VARCHAR, "offset" BIGINT, payload VARCHAR, reason VARCHAR)`,
  sql`CREATE VIEW ${at('offsets')} AS
    SELECT o.source, o.partition, o.position FROM (SELECT unnest(offsets) AS o FROM _streamsql.epochs WHERE epoch = (SELECT max(epoch) FROM _streamsql.epochs))`,
  sql`CREATE VIEW ${at('watermarks')} AS
    SELECT w.source, w.watermark FROM (SELECT unnest(watermarks) AS w FROM _streamsql.epochs WHERE epoch = (SELECT max(epoch) FROM _streamsql.epochs))`,
];
