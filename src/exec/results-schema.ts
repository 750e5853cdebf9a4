import { ident, sql, type Sql } from '../base/sql.ts';

/** The version of what is written below; a database of another version is refused. */
export const RESULTS_VERSION = 3;

export const meta = (name: string): Sql => ident('res', '_streamsql', name);

/** Where the changes of a user's table are kept, epoch by epoch, until no recovery can need them. */
export const changesOf = (table: string): Sql => meta(`changes of ${table}`);

/** Where the rows of a live view are whose keys are not all among its columns. */
export const rowsOf = (view: string): Sql => meta(`rows of ${view}`);

/** What an epoch read, a range a partition: only of those of which it read something, so that it costs what they are. */
export const RANGES = sql`STRUCT(source VARCHAR, partition VARCHAR, "from" BIGINT, "to" BIGINT, records BIGINT, crc32 UINTEGER, bytes BIGINT)[]`;

/** Where each epoch left the partitions that it read of. */
const rangeEnds = (epochs: Sql): Sql =>
  sql`SELECT r.source, r.partition, r."to" AS position, epoch FROM (SELECT epoch, unnest(ranges) AS r FROM ${epochs})`;

/** Keeps where partitions stood after the epochs up to one that are to be deleted. */
export const keepOffsets = (upTo: number): Sql =>
  sql`MERGE INTO ${meta('earlier_offsets')} AS known USING (
      SELECT source, partition, arg_max(position, epoch) AS position, max(epoch) AS epoch
      FROM (${rangeEnds(sql`(FROM ${meta('epochs')} WHERE epoch <= ${upTo})`)}) GROUP BY source, partition
    ) AS last ON known.source = last.source AND known.partition = last.partition
    WHEN MATCHED THEN UPDATE SET position = last.position, epoch = last.epoch
    WHEN NOT MATCHED THEN INSERT VALUES (last.source, last.partition, last.position, last.epoch)`;

/** The record of a run: what was read, when, and what became of it. Offsets and watermarks are those of the last epoch. */
export const metaTables = (at: (name: string) => Sql): readonly Sql[] => [
  sql`CREATE TABLE ${at('views')} (name VARCHAR, sql VARCHAR, emit VARCHAR, hidden_keys BOOLEAN)`,
  sql`CREATE TABLE ${at('tables')} (name VARCHAR, key VARCHAR[])`,
  sql`CREATE TABLE ${at('statements')} (sql VARCHAR)`,
  sql`CREATE TABLE ${at('sources')} (name VARCHAR, connector VARCHAR, bounded BOOLEAN, event_time VARCHAR)`,
  sql`CREATE TABLE ${at('epochs')} (
    epoch BIGINT, committed_at TIMESTAMP, clock TIMESTAMP, closing BOOLEAN, rows BIGINT,
    ranges ${RANGES},
    watermarks STRUCT(source VARCHAR, watermark TIMESTAMP, announced BIGINT)[],
    decode_ms DOUBLE, run_ms DOUBLE)`,
  sql`CREATE TABLE ${at('late')} (
    epoch BIGINT, view VARCHAR, source VARCHAR, partition VARCHAR, "offset" BIGINT, watermark TIMESTAMP, partly BOOLEAN, payload VARCHAR)`,
  sql`CREATE TABLE ${at('dead_letters')} (
    epoch BIGINT, source VARCHAR, partition VARCHAR, "offset" BIGINT, payload VARCHAR, reason VARCHAR)`,
  sql`CREATE TABLE ${at('earlier_offsets')} (source VARCHAR, partition VARCHAR, position BIGINT, epoch BIGINT)`,
  sql`CREATE VIEW ${at('offsets')} AS
    SELECT source, partition, arg_max(position, epoch) AS position
    FROM (FROM _streamsql.earlier_offsets UNION ALL ${rangeEnds(sql`_streamsql.epochs`)})
    WHERE source IN (SELECT name FROM _streamsql.sources) GROUP BY source, partition ORDER BY source, partition`,
  sql`CREATE VIEW ${at('watermarks')} AS
    SELECT w.source, w.watermark FROM (SELECT unnest(watermarks) AS w FROM _streamsql.epochs WHERE epoch = (SELECT max(epoch) FROM _streamsql.epochs))`,
];
