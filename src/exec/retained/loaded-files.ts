import { statSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import type { Chunk, OffsetRun, RejectedRecord, ScratchPool } from '../../base/connector.ts';
import { ident, sql, type Sql } from '../../base/sql.ts';
import type { RetainedFile } from '../checkpoint/manifest.ts';
import { noPattern } from '../checkpoint/restore-table.ts';
import type { DuckConnection } from '../duck.ts';
import type { KeptPartition } from './stock.ts';

/** A chunk as it was when it was kept. */
export interface KeptChunk {
  readonly from: number;
  readonly to: number;
  readonly records: number;
  /** Records that are no UTF-8. */
  readonly odd: number;
}

/** A stretch of a partition that is to be a chunk again: of the chunks that begin in it, which may be none. */
export interface Stretch {
  readonly index: number;
  readonly partition: KeptPartition;
  readonly from: number;
  readonly to: number;
  readonly chunks: readonly KeptChunk[];
}

export interface LoadingHost {
  /** The state folder. */
  readonly folder: string;
  readonly connection: DuckConnection;
  readonly scratch: ScratchPool;
}

let tables = 0;

/** A file of retained records in memory: all partitions read it at about the same time, each at its own pace. */
export class LoadedFile {
  private readonly host: LoadingHost;
  private readonly table: Sql;
  private readonly chunks: ReadonlyMap<string, readonly KeptChunk[]>;

  private constructor(host: LoadingHost, table: Sql, chunks: ReadonlyMap<string, readonly KeptChunk[]>) {
    this.host = host;
    this.table = table;
    this.chunks = chunks;
  }

  static async load(host: LoadingHost, { path }: RetainedFile): Promise<LoadedFile> {
    const { connection, folder } = host;
    const table = ident(`$retained ${tables++}`);
    const from = sql`read_parquet(${noPattern(joinPath(folder, path))}, file_row_number = true)`;
    await connection.run(sql`CREATE TEMP TABLE ${table} AS FROM ${from}`);
    const rows = await connection.rows(
      sql`SELECT partition, CAST("from" AS DOUBLE) AS "from", CAST("to" AS DOUBLE) AS "to", CAST(count(*) FILTER (reason IS NULL) AS DOUBLE) AS records, CAST(count(bytes) FILTER (reason IS NULL) AS DOUBLE) AS odd
        FROM ${table} GROUP BY ALL ORDER BY "from"`,
    );
    const chunks = new Map<string, KeptChunk[]>();
    for (const row of rows) {
      const own = chunks.get(String(row['partition'])) ?? [];
      own.push({ from: Number(row['from']), to: Number(row['to']), records: Number(row['records']), odd: Number(row['odd']) }); // prettier-ignore
      chunks.set(String(row['partition']), own);
    }
    return new LoadedFile(host, table, chunks);
  }

  chunksFrom(partition: string, position: number): readonly KeptChunk[] {
    const own = this.chunks.get(partition) ?? [];
    const first = own.findIndex(({ from }) => from >= position);
    return first === -1 ? [] : own.slice(first);
  }

  /** The records of a stretch, as if the source's reader had brought them in one chunk. */
  async read(stretch: Stretch): Promise<Chunk> {
    const { partition, chunks } = stretch;
    const end = chunks.at(-1)?.to ?? stretch.from;
    const rows = sql`FROM ${this.table} WHERE partition = ${partition.name} AND "from" >= ${stretch.from} AND "from" < ${end}`;
    const odd = chunks.some((chunk) => chunk.odd > 0);
    return this.chunk(stretch, sql`(SELECT * ${rows})`, odd);
  }

  /** The first record of a chunk. */
  first(stretch: Stretch, { from, odd }: KeptChunk): Promise<Chunk> {
    const rows = sql`FROM ${this.table} WHERE partition = ${stretch.partition.name} AND "from" = ${from} AND reason IS NULL ORDER BY file_row_number LIMIT 1`;
    return this.chunk(stretch, sql`(SELECT * ${rows})`, odd > 0);
  }

  async drop(): Promise<void> {
    await this.host.connection.run(sql`DROP TABLE IF EXISTS ${this.table}`);
  }

  private async chunk({ index, partition, from, to }: Stretch, rows: Sql, odd: boolean): Promise<Chunk> {
    const { connection, scratch } = this.host;
    const runs = await this.runs(rows);
    const file = scratch.acquire();
    if (odd) await file.write(await this.pieces(rows));
    else {
      // Where a field is never quoted, a line is the text itself. The scratch file must stay the one that it is.
      const asItIs = sql`FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', USE_TMP_FILE false`;
      await connection.run(sql`COPY (SELECT payload FROM ${rows} WHERE reason IS NULL) TO ${file.path} (${asItIs})`);
    }
    const place = { path: file.path, bytes: statSync(file.path).size };
    const { dialect } = partition;
    return {
      partition: index,
      from,
      to,
      records: runs.reduce((sum, { count }) => sum + count, 0),
      runs,
      body: dialect === undefined ? { kind: 'json', ...place } : { kind: 'csv', ...place, dialect },
      rejected: await this.rejected(rows),
      release: () => file.release(),
    };
  }

  private async runs(rows: Sql): Promise<readonly OffsetRun[]> {
    const found = await this.host.connection.rows(
      sql`SELECT CAST(min("offset") AS DOUBLE) AS "first", CAST(count(*) AS DOUBLE) AS n
        FROM (SELECT "offset", "offset" - row_number() OVER (ORDER BY file_row_number) AS run FROM ${rows} WHERE reason IS NULL) GROUP BY run ORDER BY run`,
    );
    return found.map((row) => ({ first: Number(row['first']), count: Number(row['n']) }));
  }

  private async pieces(rows: Sql): Promise<readonly Uint8Array[]> {
    const found = await this.host.connection.rows(
      sql`SELECT coalesce(bytes, encode(payload)) AS bytes FROM ${rows} WHERE reason IS NULL ORDER BY file_row_number`,
    );
    return found.flatMap((row) => [bytesOf(row['bytes']), Buffer.from('\n')]);
  }

  private async rejected(rows: Sql): Promise<readonly RejectedRecord[]> {
    const found = await this.host.connection.rows(
      sql`SELECT CAST("offset" AS DOUBLE) AS "offset", coalesce(bytes, encode(payload)) AS bytes, reason FROM ${rows} WHERE reason IS NOT NULL ORDER BY file_row_number`,
    );
    return found.map((row) => ({
      offset: Number(row['offset']),
      payload: row['bytes'] === null ? null : bytesOf(row['bytes']),
      reason: String(row['reason']),
    }));
  }
}

const bytesOf = (value: unknown): Uint8Array => (value instanceof Uint8Array ? value : Buffer.alloc(0));
