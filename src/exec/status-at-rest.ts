import { ident, sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';

/** What the last run left in a results database that nobody holds. Instants are microseconds since 1970-01-01 UTC as text. */
export interface RestStatus {
  /** `running`: that run was killed, or its machine was. */
  readonly status: 'finished' | 'stopped' | 'running';
  readonly since: string | null;
  readonly pid: number;
  /** The last epoch that is committed; -1: none. */
  readonly epoch: number;
  readonly committedAt: string | null;
  readonly sources: readonly {
    readonly name: string;
    readonly connector: string;
    readonly watermark: string | null;
    readonly deadLetters: number;
  }[];
  readonly views: readonly { readonly name: string; readonly rows: number; readonly late: number }[];
}

/** Undefined where streamsql did not write the database. */
export async function statusAtRest(connection: DuckConnection): Promise<RestStatus | undefined> {
  const known = await connection.text(
    sql`SELECT 'yes' FROM duckdb_tables() WHERE schema_name = '_streamsql' AND table_name = 'run' AND database_name = current_database()`,
  );
  if (known === undefined) return undefined;
  const [run] = await connection.rows(
    sql`SELECT status, pid, CAST(epoch_us(started_at) AS VARCHAR) AS since, (SELECT max(epoch) FROM _streamsql.epochs) AS epoch,
      (SELECT CAST(epoch_us(max(committed_at)) AS VARCHAR) FROM _streamsql.epochs) AS committed FROM _streamsql.run`,
  );
  const sources = await connection.rows(
    sql`SELECT s.name, s.connector, CAST(epoch_us(any_value(w.watermark)) AS VARCHAR) AS watermark,
        (SELECT count(*) FROM _streamsql.dead_letters d WHERE d.source = s.name) AS dead
      FROM _streamsql.sources s LEFT JOIN _streamsql.watermarks w ON w.source = s.name GROUP BY s.name, s.connector, s.rowid ORDER BY s.rowid`,
  );
  const views = await connection.rows(
    sql`SELECT name, (SELECT count(*) FROM _streamsql.late l WHERE l.view = v.name AND NOT partly) AS late FROM _streamsql.views v ORDER BY v.rowid`,
  );
  return {
    status: statusOf(run?.['status']),
    since: textOf(run?.['since']),
    pid: Number(run?.['pid']),
    epoch: run?.['epoch'] === null || run?.['epoch'] === undefined ? -1 : Number(run['epoch']),
    committedAt: textOf(run?.['committed']),
    sources: sources.map((row) => ({
      name: String(row['name']),
      connector: String(row['connector']),
      watermark: textOf(row['watermark']),
      deadLetters: Number(row['dead']),
    })),
    views: await Promise.all(
      views.map(async (row) => {
        const name = String(row['name']);
        const rows = await connection.text(sql`SELECT CAST(count(*) AS VARCHAR) FROM ${ident(name)}`);
        return { name, rows: Number(rows), late: Number(row['late']) };
      }),
    ),
  };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const statusOf = (value: unknown): RestStatus['status'] =>
  value === 'finished' || value === 'stopped' ? value : 'running';
