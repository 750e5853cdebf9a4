import type { Chunk } from '../../base/connector.ts';
import type { Column } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { DuckConnection } from '../duck.ts';
import { offsetOf } from './layout.ts';
import { payloadText, type Records } from './records.ts';
import type { Batch } from './read.ts';

/** Opens the rows of a query for examination: they are kept in a temporary table, so that the query runs once. */
export async function queryRecords(
  connection: DuckConnection,
  chunk: Chunk,
  body: Chunk['body'] & { kind: 'query' },
  name: string,
): Promise<Records & { close(): Promise<void> }> {
  const table = ident(`$rows ${name}`);
  await connection.run(sql`CREATE OR REPLACE TEMP TABLE ${table} AS ${body.sql}`);
  return new QueryRecords(connection, chunk, table, body.given ?? []);
}

class QueryRecords implements Records {
  readonly rejected = new Map<number, string>();
  private readonly connection: DuckConnection;
  private readonly chunk: Chunk;
  private readonly table: Sql;
  private readonly given: readonly Column[];

  constructor(connection: DuckConnection, chunk: Chunk, table: Sql, given: readonly Column[]) {
    this.connection = connection;
    this.chunk = chunk;
    this.table = table;
    this.given = given;
  }

  reject(ordinal: number, reason: string): void {
    if (!this.rejected.has(ordinal)) this.rejected.set(ordinal, reason);
  }

  examine(): boolean {
    return false;
  }

  keepDigits(): void {
    // Rows of a query have types: no digit is lost.
  }

  batch(): Promise<Batch | undefined> {
    if (this.rejected.size === this.chunk.records) return Promise.resolve(undefined);
    const out = join([...this.rejected.keys()].map((ordinal) => sql`${ordinal}`));
    const where = this.rejected.size === 0 ? raw('') : sql`WHERE rowid NOT IN (${out})`;
    const select = sql`SELECT * FROM ${this.table} ${where} ORDER BY rowid`;
    return Promise.resolve({ kind: 'query', sql: select, given: this.given });
  }

  async describe(ordinals: readonly number[]): ReturnType<Records['describe']> {
    if (ordinals.length === 0) return [];
    const list = join(ordinals.map((ordinal) => sql`${ordinal}`));
    const rows = await this.connection.rows(
      sql`SELECT CAST(rowid AS INTEGER) AS i, CAST(to_json("$row") AS VARCHAR) AS payload FROM ${this.table} AS "$row" WHERE rowid IN (${list})`,
    );
    const payloads = new Map(rows.map((row) => [Number(row['i']), String(row['payload'])]));
    return ordinals.map((i) => ({
      payload: payloadText(Buffer.from(payloads.get(i) ?? '')),
      offset: offsetOf(this.chunk, i),
    }));
  }

  async close(): Promise<void> {
    await this.connection.run(sql`DROP TABLE ${this.table}`);
  }
}
