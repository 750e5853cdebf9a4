import type { Sql } from '../base/sql.ts';
import type { DuckConnection, Table } from './duck.ts';

/** Statements, time and rows of one operator, for EXPLAIN ANALYZE. */
export interface Usage {
  statements: number;
  ms: number;
  rows: number;
}

/** Smaller tables are written whole into each checkpoint: that costs less than to know what changed of them. */
const JOURNAL_FROM_ROWS = 20_000;

/** The connection on which operators run, with an account of who ran what. */
export class Session {
  readonly connection: DuckConnection;
  /** State tables of more rows than these know what changed of them. */
  readonly journalFrom: number;
  private readonly usages = new Map<string, Usage>();

  constructor(connection: DuckConnection, journalFrom: number = JOURNAL_FROM_ROWS) {
    this.connection = connection;
    this.journalFrom = journalFrom;
  }

  /** Runs a statement on the account of a node; the rows that it wrote. */
  async run(account: string, statement: Sql): Promise<number> {
    const started = performance.now();
    const rows = await this.connection.run(statement);
    this.book(account, performance.now() - started, rows);
    return rows;
  }

  async rows(account: string, statement: Sql): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const started = performance.now();
    const rows = await this.connection.rows(statement);
    this.book(account, performance.now() - started, 0);
    return rows;
  }

  async table(account: string, statement: Sql): Promise<Table> {
    const started = performance.now();
    const table = await this.connection.table(statement);
    this.book(account, performance.now() - started, 0);
    return table;
  }

  private book(account: string, ms: number, rows: number): void {
    const usage = this.usageOf(account);
    usage.statements++;
    usage.ms += ms;
    usage.rows += rows;
  }

  usageOf(account: string): Usage {
    const known = this.usages.get(account);
    if (known !== undefined) return known;
    const fresh: Usage = { statements: 0, ms: 0, rows: 0 };
    this.usages.set(account, fresh);
    return fresh;
  }
}
