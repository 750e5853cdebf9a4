import type { Chunk } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { join, raw, sql, type Sql } from '../../base/sql.ts';
import type { RetainedRange } from '../checkpoint/manifest.ts';
import type { DuckConnection } from '../duck.ts';
import { cutRecords, rejectedRecords, type CutRecords } from './cut-records.ts';

/** Consecutive rows of a pile that are of one chunk and have consecutive offsets. */
interface Segment {
  readonly rows: number;
  readonly partition: string;
  readonly firstOffset: number;
  readonly from: number;
  readonly to: number;
  readonly clock: bigint;
}

/**
 * Raw records in memory, in the order in which they came, on their way to a file: a table of what they say, and beside it
 * whose they are.
 */
export class Pile {
  rows = 0;
  /** About so many of text. */
  bytes = 0;
  /** The engine's clock when the first and the last of them came. */
  since = 0n;
  clock = 0n;
  readonly epochs = { first: 0, last: 0 };
  private readonly connection: DuckConnection;
  private readonly table: Sql;
  private readonly segments: Segment[] = [];
  private readonly held = new Map<string, { name: string; from: number; to: number }>();
  private made = false;

  constructor(connection: DuckConnection, table: Sql) {
    this.connection = connection;
    this.table = table;
  }

  get ranges(): readonly RetainedRange[] {
    return [...this.held.values()];
  }

  /** Adds the records of an epoch, those that the reader rejected as well. */
  async add(chunks: readonly Chunk[], names: readonly string[], epoch: number, clock: bigint): Promise<void> {
    if (!this.made) await this.make(epoch, clock);
    const filled = chunks.filter(({ records }) => records > 0);
    if (!(await this.insertLines(filled))) {
      for (const chunk of filled) if (!(await this.insertLines([chunk]))) await this.insert(await cutRecords(chunk));
    }
    const rejecting = chunks.filter(({ rejected }) => rejected.length > 0);
    if (rejecting.length > 0) await this.insert(await rejectedRecords(rejecting.flatMap(({ rejected }) => rejected)));
    for (const chunk of filled)
      for (const { first, count } of chunk.runs) this.place(chunk, names, clock, first, count);
    for (const chunk of rejecting) for (const { offset } of chunk.rejected) this.place(chunk, names, clock, offset, 1);
    for (const chunk of chunks) this.hold(chunk, names);
    this.epochs.last = epoch;
    this.clock = clock;
  }

  /** Writes them as Parquet, a row each. */
  async write(connection: DuckConnection, path: string): Promise<void> {
    const values = this.segments.map(({ rows, partition, firstOffset, from, to, clock }) => sql`(${partition}, ${firstOffset}, ${rows}, ${from}, ${to}, ${clock})`); // prettier-ignore
    const places = sql`SELECT partition, unnest(range(CAST("first" AS BIGINT), CAST("first" + "rows" AS BIGINT))) AS "offset",
        CAST("from" AS BIGINT) AS "from", CAST("to" AS BIGINT) AS "to", make_timestamp(CAST(clock AS BIGINT)) AS clock
      FROM (VALUES ${join(values)}) AS s(partition, "first", "rows", "from", "to", clock)`;
    const rows = await connection.run(
      sql`COPY (SELECT p.partition, p."offset", r.payload, r.bytes, r.reason, p."from", p."to", p.clock FROM ${this.table} AS r POSITIONAL JOIN (${places}) AS p) TO ${path} (FORMAT parquet, COMPRESSION ${raw('zstd')})`,
    );
    if (rows !== this.rows) throw new StreamsqlError('INTERNAL', `${rows} of ${this.rows} raw records were written`);
  }

  async drop(): Promise<void> {
    await this.connection.run(sql`DROP TABLE IF EXISTS ${this.table}`);
  }

  private async make(epoch: number, clock: bigint): Promise<void> {
    await this.connection.run(sql`CREATE TABLE ${this.table} (payload VARCHAR, bytes BLOB, reason VARCHAR)`);
    this.made = true;
    this.since = clock;
    this.epochs.first = epoch;
  }

  /** Each line as it is; whether each was a record, else nothing is added. */
  private async insertLines(chunks: readonly Chunk[]): Promise<boolean> {
    if (chunks.length === 0) return true;
    const paths = join(chunks.map((chunk) => sql`${pathOf(chunk)}`));
    const expected = chunks.reduce((sum, { records }) => sum + records, 0);
    await this.connection.run(sql`BEGIN`);
    try {
      const found = await this.connection.run(
        sql`INSERT INTO ${this.table} SELECT payload, NULL, NULL FROM read_csv([${paths}], ${LINES})`,
      );
      if (found === expected) {
        await this.connection.run(sql`COMMIT`);
        this.rows += found;
        this.bytes += chunks.reduce((sum, { body }) => sum + (body.kind === 'query' ? 0 : body.bytes), 0);
        return true;
      }
    } catch {
      // Text that is no UTF-8, a long line, a carriage return.
    }
    await this.connection.run(sql`ROLLBACK`);
    return false;
  }

  private async insert(cut: CutRecords): Promise<void> {
    try {
      this.rows += await this.connection.run(
        sql`INSERT INTO ${this.table} SELECT CASE WHEN is_text THEN decode(from_base64(base64)) END, CASE WHEN NOT is_text THEN from_base64(base64) END, reason
          FROM read_json(${cut.path}, format = 'newline_delimited', records = true, maximum_object_size = ${cut.longest + 1024}, columns = {is_text: 'BOOLEAN', base64: 'VARCHAR', reason: 'VARCHAR'})`,
      );
      this.bytes += cut.bytes;
    } finally {
      cut.close();
    }
  }

  private place(chunk: Chunk, names: readonly string[], clock: bigint, firstOffset: number, rows: number): void {
    const { from, to } = chunk;
    this.segments.push({ rows, partition: names[chunk.partition] ?? '', firstOffset, from, to, clock });
  }

  private hold({ partition, from, to }: Chunk, names: readonly string[]): void {
    const name = names[partition] ?? '';
    const known = this.held.get(name);
    if (known === undefined) this.held.set(name, { name, from, to });
    else known.to = to;
  }
}

/** One column, whatever is in the line: nothing is quoted, and what parts columns stands in no text. */
const LINES = sql`auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', nullstr = [''], new_line = '\\n', columns = {payload: 'VARCHAR'}`;

function pathOf({ body }: Chunk): string {
  if (body.kind !== 'query') return body.path;
  throw new StreamsqlError('INTERNAL', 'a SELECT has no raw records to retain');
}
