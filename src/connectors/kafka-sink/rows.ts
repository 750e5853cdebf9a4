import { StreamsqlError } from '../../base/errors.ts';
import type { SinkContext } from '../../base/connector.ts';
import type { Column } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import { objectText } from '../json-text.ts';

export type RowFormat = 'json' | 'upsert' | 'debezium';

export interface RowsSettings {
  readonly sink: string;
  readonly format: RowFormat;
  /** As the sink is given them: a changelog's begin with `op`. */
  readonly columns: readonly Column[];
  readonly changelog: boolean;
  /** The columns of the key of a record; empty where it has none. */
  readonly key: readonly Column[];
}

/** A record of an epoch, in UTF-8; undefined is null. */
export interface EpochRecord {
  readonly key: Buffer | undefined;
  readonly value: Buffer | undefined;
  /** Tells its partition where there is no key. */
  readonly place: Buffer | undefined;
}

/** How much text is taken at once. */
const CHUNK_BYTES = 8 << 20;
const MOST_ROWS = 50_000;

/** The records of one epoch, kept as text in a table of the engine's, so that they can be read again. */
export class EpochRows {
  private readonly settings: RowsSettings;
  private readonly context: SinkContext;
  private readonly table: Sql;
  private rows = 0;
  private bytes = 0;

  constructor(settings: RowsSettings, context: SinkContext) {
    this.settings = settings;
    this.context = context;
    this.table = ident('temp', `kafka sink ${settings.sink}`);
  }

  /** Throws SINK where two rows have one key. */
  async take(epoch: number, delta: Sql): Promise<void> {
    const { context, table } = this;
    await context.run(sql`CREATE OR REPLACE TEMP TABLE ${table} AS ${recordsOf(this.settings, epoch, delta)}`);
    const [sums] = await context.query(
      sql`SELECT CAST(count(*) AS DOUBLE) AS records, CAST(coalesce(sum(strlen("value")), 0) AS DOUBLE) AS bytes FROM ${table}`,
    );
    this.rows = Number(sums?.['records'] ?? 0);
    this.bytes = Number(sums?.['bytes'] ?? 0);
    if (this.settings.format !== 'json' && this.settings.key.length > 0) await this.checkKeys();
  }

  /** Chunk by chunk, the next one being read while the last is used. */
  async *chunks(): AsyncGenerator<readonly EpochRecord[]> {
    const average = this.bytes / Math.max(1, this.rows);
    const size = Math.max(1, Math.min(MOST_ROWS, Math.floor(CHUNK_BYTES / Math.max(1, average))));
    let next = this.read(0, size);
    try {
      for (let at = 0; at < this.rows; at += size) {
        const chunk = await next;
        if (at + size < this.rows) next = this.read(at + size, size);
        next.catch(() => undefined);
        yield chunk;
      }
    } finally {
      // A connection runs one statement at a time.
      await next.catch(() => undefined);
    }
  }

  async drop(): Promise<void> {
    this.rows = 0;
    await this.context.run(sql`DROP TABLE IF EXISTS ${this.table}`);
  }

  /** Each column comes as one text, which is several times faster than a value for each record. */
  private async read(from: number, size: number): Promise<readonly EpochRecord[]> {
    if (this.rows === 0) return [];
    const [texts] = await this.context.query(
      sql`SELECT ${join(FIELDS.map(together))} FROM ${this.table} WHERE rowid >= ${from} AND rowid < ${from + size}`,
    );
    const [keys, values, places] = FIELDS.map((field) => apart(texts?.[field]));
    const count = Math.min(size, this.rows - from);
    if (values?.length !== count) throw new StreamsqlError('INTERNAL', `${count} records became ${values?.length}`);
    return values.map((value, i) => ({ key: keys?.[i], value, place: places?.[i] }));
  }

  private async checkKeys(): Promise<void> {
    const { settings, context, table } = this;
    const [twice] = await context.query(
      sql`SELECT "key", puts FROM ${table} WHERE puts > 1 OR takes > 1 ORDER BY rowid LIMIT 1`,
    );
    if (twice === undefined) return;
    throw new StreamsqlError('SINK', `sink ${settings.sink} has more than one row of the key ${String(twice['key'])}`, {
      hint: `format = '${settings.format}' keeps one row a key: choose a key that is unique in the query, or GROUP BY it`,
    });
  }
}

const FIELDS = ['key', 'value', 'place'] as const;
/** No JSON has these: what stands between two records, and a NULL. */
const BETWEEN = 30;
const NULL = 29;

const together = (field: string): Sql =>
  sql`string_agg(coalesce(${ident(field)}, chr(${NULL})), chr(${BETWEEN}) ORDER BY rowid) FILTER (${ident(field)} IS NOT NULL OR ${field === 'value'}) AS ${ident(field)}`;

function apart(text: unknown): readonly (Buffer | undefined)[] | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text);
  const parts: (Buffer | undefined)[] = [];
  for (let at = 0; at <= bytes.length;) {
    const found = bytes.indexOf(BETWEEN, at);
    const end = found === -1 ? bytes.length : found;
    parts.push(bytes[at] === NULL && end === at + 1 ? undefined : bytes.subarray(at, end));
    at = end + 1;
  }
  return parts;
}

function recordsOf(settings: RowsSettings, epoch: number, delta: Sql): Sql {
  const { format, columns, changelog, key } = settings;
  const [op, ...own] = columns;
  const keyText = key.length === 0 ? sql`CAST(NULL AS VARCHAR)` : objectText(key, 'inner');
  if (format === 'json' || op === undefined) {
    // What takes a row back is to follow the row: both are in one partition.
    const place = changelog && key.length === 0 ? objectText(own) : sql`CAST(NULL AS VARCHAR)`;
    return sql`SELECT ${keyText} AS "key", ${objectText(columns)} AS "value", ${place} AS place FROM ${delta}`;
  }
  const row = objectText(own, format === 'debezium' ? 'inner' : 'top');
  const texts = sql`SELECT op = '+' AS puts, ${keyText} AS "key", ${row} AS text, rowid AS nth FROM ${delta}`;
  const envelope = (before: Sql, after: Sql): Sql => debezium(settings.sink, epoch, before, after);
  if (key.length === 0) {
    const side = (when: string): Sql => sql`CASE WHEN ${raw(when)} THEN text END`;
    return sql`SELECT "key", ${envelope(side('NOT puts'), side('puts'))} AS "value", text AS place FROM (${texts}) ORDER BY nth`;
  }
  const value = format === 'upsert' ? raw('after') : envelope(raw('before'), raw('after'));
  return sql`SELECT "key", ${value} AS "value", CAST(NULL AS VARCHAR) AS place, puts, takes FROM (
    SELECT "key", count(*) FILTER (puts) AS puts, count(*) FILTER (NOT puts) AS takes, min(nth) AS nth,
      max(text) FILTER (puts) AS after, max(text) FILTER (NOT puts) AS before
    FROM (${texts}) GROUP BY "key")
    WHERE puts > 1 OR takes > 1 OR after IS DISTINCT FROM before ORDER BY nth`;
}

/** Debezium's envelope: a create, an update or a delete, by which of the two there are. */
function debezium(sink: string, epoch: number, before: Sql, after: Sql): Sql {
  const source = JSON.stringify({ connector: 'streamsql', name: sink, epoch });
  const rest = `,"source":${source},"ts_ms":${Date.now()}}`;
  const op = sql`CASE WHEN ${before} IS NULL THEN 'c' WHEN ${after} IS NULL THEN 'd' ELSE 'u' END`;
  const parts = [sql`'{"before":'`, sql`coalesce(${before}, 'null')`, sql`',"after":'`, sql`coalesce(${after}, 'null')`, sql`',"op":"'`, sql`(${op})`, sql`${`"${rest}`}`]; // prettier-ignore
  return join(parts, ' || ');
}
