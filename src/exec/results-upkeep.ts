import { statSync } from 'node:fs';
import { sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';

/** What DuckDB itself would wait for, of a file's write-ahead log; and about as much of results in memory. */
const LOG_BYTES = 16 * 2 ** 20;
const CHANGED_ROWS = 250_000;

/**
 * Takes the write-ahead log of the results into their file, now and then, which also lets go of deleted rows. DuckDB would do it
 * by itself, but it was told not to, for the sake of the state: see `Duck.open`.
 */
export class ResultsUpkeep {
  private readonly connection: DuckConnection;
  private path: string | undefined;
  private looked = false;
  private changedBefore = 0;

  constructor(connection: DuckConnection) {
    this.connection = connection;
  }

  /** To be called after each commit. */
  async committed(): Promise<void> {
    if (!(await this.due())) return;
    this.changedBefore = this.connection.changed;
    await takeIn(this.connection);
  }

  private async due(): Promise<boolean> {
    if (!this.looked) {
      this.path = await this.connection.text(sql`SELECT path FROM duckdb_databases() WHERE database_name = 'res'`);
      this.looked = true;
    }
    if (this.path === undefined) return this.connection.changed - this.changedBefore > CHANGED_ROWS;
    return (statSync(`${this.path}.wal`, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES;
  }
}

/** Takes the log of the results into their file. Where someone writes at this moment it stays, and is taken in later. */
export async function takeIn(connection: DuckConnection): Promise<void> {
  try {
    await connection.run(sql`CHECKPOINT res`);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('other write transactions active')) throw error;
  }
}
