import {
  DuckDBInstance,
  JsonDuckDBValueConverter,
  StatementType,
  type DuckDBConnection,
  type DuckDBPreparedStatement,
  type DuckDBResultReader,
  type DuckDBValue,
  type Json,
} from '@duckdb/node-api';
import type { Column } from '../base/schema.ts';
import { sql, type Sql } from '../base/sql.ts';

/**
 * The only module that knows DuckDB's client. One `Duck` is one DuckDB instance; its connections may run at the same
 * time, each one statement at a time.
 */
export class Duck {
  private readonly instance: DuckDBInstance;
  private readonly connections = new Set<DuckConnection>();

  private constructor(instance: DuckDBInstance) {
    this.instance = instance;
  }

  /**
   * Opens `:memory:` or a file. `settings` are DuckDB's own, such as `{ threads: '2', memory_limit: '1GB' }`. In memory it is
   * never checkpointed, nor what is attached, unless a statement says so: that numbers the rows of tables anew, also of those
   * in memory (https://github.com/duckdb/duckdb/pull/18348), and the journals of state tables go by the numbers.
   */
  static async open(path: string, settings: Readonly<Record<string, string>> = {}): Promise<Duck> {
    const own = path === ':memory:' ? { checkpoint_threshold: '1000TB' } : {};
    return new Duck(await DuckDBInstance.create(path, { ...own, ...settings }));
  }

  async connect(): Promise<DuckConnection> {
    const made = await this.instance.connect();
    const connection = new DuckConnection(made, () => this.connections.delete(connection));
    this.connections.add(connection);
    return connection;
  }

  /** Its files are released: DuckDB itself would hold them until the last of its connections is collected as garbage. */
  close(): void {
    for (const connection of this.connections) connection.close();
    this.instance.closeSync();
  }
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Json[])[];
}

/** Of the rows of a statement: first its columns, then rows as they come. */
export type TablePart = { readonly columns: readonly Column[] } | { readonly rows: readonly (readonly Json[])[] };

/** A statement that is bound. */
export interface Statement {
  /** What it is to DuckDB: `SELECT`, `INSERT`. */
  readonly kind: string;
  /** Whether it does no more than read. */
  readonly reads: boolean;
  stream(): AsyncGenerator<TablePart>;
}

export class DuckConnection {
  private readonly connection: DuckDBConnection;
  /** Statements run so far; EXPLAIN ANALYZE and the tests count with it. */
  statements = 0;
  /** Rows that `run` changed so far. */
  changed = 0;

  private readonly closed: () => void;

  constructor(connection: DuckDBConnection, closed: () => void) {
    this.connection = connection;
    this.closed = closed;
  }

  /** Runs a statement whose rows nobody wants; the number of rows it changed, or wrote into the table that it made. */
  async run(statement: Sql): Promise<number> {
    this.statements++;
    const reader = await this.connection.runAndReadAll(statement.text);
    this.changed += reader.rowsChanged;
    if (reader.rowsChanged > 0 || reader.columnCount !== 1 || reader.columnName(0) !== 'Count')
      return reader.rowsChanged;
    return Number(reader.getRowsJson()[0]?.[0] ?? 0);
  }

  /**
   * Runs a statement with RETURNING and adds what it returns to a table of those columns, chunk by chunk; both are of one
   * transaction where one is open.
   */
  async runInto(statement: Sql, schema: string, table: string): Promise<void> {
    this.statements++;
    const result = await this.connection.run(statement.text);
    const appender = await this.connection.createAppender(table, schema);
    for (const chunk of await result.fetchAllChunks()) appender.appendDataChunk(chunk);
    appender.closeSync();
  }

  /** Rows as plain JavaScript values: BIGINT as bigint, TIMESTAMP as Date, DECIMAL as number, BLOB as bytes. */
  async rows(statement: Sql): Promise<readonly Readonly<Record<string, unknown>>[]> {
    this.statements++;
    const reader = await this.connection.runAndReadAll(statement.text);
    return reader.getRowObjectsJS();
  }

  /** The columns of a table or a SELECT. */
  async columns(relation: Sql): Promise<readonly Column[]> {
    const rows = await this.rows(sql`DESCRIBE ${relation}`);
    return rows.map((row) => ({ name: String(row['column_name']), type: String(row['column_type']) }));
  }

  /** Columns with DuckDB's types and rows as JSON values: what is too wide for a number (BIGINT, DECIMAL) is a string. */
  async table(statement: Sql): Promise<Table> {
    this.statements++;
    return tableOf(await this.connection.runAndReadAll(statement.text));
  }

  /** The statements of a text, bound and not yet run; they may be run one after another. Bytes and code points of errors are of all the text. */
  async prepared(text: Sql): Promise<readonly Statement[]> {
    const extracted = await this.connection.extractStatements(text.text);
    const statements: Statement[] = [];
    for (let i = 0; i < extracted.count; i++) {
      const prepared = await extracted.prepare(i);
      const { statementType: type } = prepared;
      statements.push({ kind: StatementType[type], reads: READS.has(type), stream: () => this.stream(prepared) });
    }
    return statements;
  }

  private async *stream(prepared: DuckDBPreparedStatement): AsyncGenerator<TablePart> {
    this.statements++;
    const result = await prepared.stream();
    const names = result.columnNames();
    const columns = result.columnTypes().map((type, i) => ({ name: names[i] ?? '', type: type.toString() }));
    yield { columns };
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      const rows = chunk.convertRows(JsonDuckDBValueConverter);
      yield { rows: withIntervals(columns, rows, () => chunk.getRows()) };
    }
  }

  /** What runs on it fails. It may be called while something does. */
  interrupt(): void {
    this.connection.interrupt();
  }

  /** The first column of the first row as text (cast it to VARCHAR yourself); undefined where there is no row or a NULL. */
  async text(statement: Sql): Promise<string | undefined> {
    this.statements++;
    const reader = await this.connection.runAndReadAll(statement.text);
    const value = reader.getRowsJson()[0]?.[0];
    return typeof value === 'string' ? value : undefined;
  }

  /** One text value through a prepared statement, for SQL text that is itself an argument: `json_serialize_sql(?::VARCHAR)`. */
  async call(statement: Sql, argument: string): Promise<string> {
    this.statements++;
    const reader = await this.connection.runAndReadAll(statement.text, [argument]);
    const value = reader.getRowsJson()[0]?.[0];
    if (typeof value !== 'string') throw new Error(`${statement.text} gave no text`);
    return value;
  }

  close(): void {
    this.closed();
    this.connection.closeSync();
  }
}

/** DESCRIBE, SUMMARIZE, SHOW and the pragmas that answer are SELECTs to DuckDB. */
const READS: ReadonlySet<StatementType> = new Set([StatementType.SELECT, StatementType.EXPLAIN]);

function tableOf(reader: DuckDBResultReader): Table {
  const names = reader.columnNames();
  const columns = reader.columnTypes().map((type, i) => ({ name: names[i] ?? '', type: type.toString() }));
  return { columns, rows: withIntervals(columns, reader.getRowsJson(), () => reader.getRows()) };
}

/** Intervals as DuckDB prints them, not as objects. */
function withIntervals(
  columns: readonly Column[],
  rows: readonly (readonly Json[])[],
  values: () => readonly (readonly DuckDBValue[])[],
): readonly (readonly Json[])[] {
  const intervals = columns.flatMap((column, i) => (column.type === 'INTERVAL' ? [i] : []));
  if (intervals.length === 0) return rows;
  const given = values();
  return rows.map((row, r) =>
    row.map((value, c) => (intervals.includes(c) && value !== null ? String(given[r]?.[c]) : value)),
  );
}
