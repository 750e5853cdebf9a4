import type { Column } from '../base/schema.ts';
import { sql, type Sql } from '../base/sql.ts';
import type { Session } from './session.ts';
import { consolidated } from './weights.ts';

/** Rows that lie dead in a table before it is written anew. */
const DEAD_ROWS = 100_000;

/**
 * A state table: appended to, read, and cut by a watermark. Rows that are cut are deleted, and the table is written anew
 * when more of it is dead than alive, so a row is copied at most once for each time that its table doubles.
 *
 * With `weighted` it holds a multiset as a log of rows with weights: what was retracted lies dead until then.
 */
export class StateTable {
  readonly name: Sql;
  private readonly session: Session;
  private readonly account: string;
  private readonly weighted: readonly Column[] | undefined;
  rows = 0;
  private dead = 0;

  constructor(session: Session, account: string, name: Sql, weighted?: readonly Column[]) {
    this.session = session;
    this.account = account;
    this.name = name;
    this.weighted = weighted;
  }

  /** Creates it empty, with the columns of a SELECT. */
  async create(shape: Sql): Promise<void> {
    await this.session.run(this.account, sql`CREATE OR REPLACE TABLE ${this.name} AS SELECT * FROM (${shape}) LIMIT 0`);
    this.rows = 0;
    this.dead = 0;
  }

  async append(select: Sql): Promise<number> {
    const added = await this.session.run(this.account, sql`INSERT INTO ${this.name} ${select}`);
    this.rows += added;
    if (this.weighted !== undefined) {
      this.dead += added;
      if (this.dead > DEAD_ROWS && this.dead > this.rows / 2) await this.consolidate(this.weighted);
    }
    return added;
  }

  /** Runs a MERGE: rows changed in place, rows added. `rows` becomes an upper bound. */
  async merge(statement: Sql): Promise<void> {
    this.rows += await this.session.run(this.account, statement);
  }

  /** Deletes what no row to come can touch. */
  async evict(condition: Sql): Promise<number> {
    if (this.rows === 0) return 0;
    const gone = await this.session.run(this.account, sql`DELETE FROM ${this.name} WHERE ${condition}`);
    this.rows = Math.max(0, this.rows - gone);
    this.dead += gone;
    if (this.dead > DEAD_ROWS) await this.compact();
    return gone;
  }

  private async compact(): Promise<void> {
    const [counted] = await this.session.rows(this.account, sql`SELECT count(*) AS n FROM ${this.name}`);
    this.rows = Number(counted?.['n'] ?? 0);
    if (this.dead <= this.rows) return;
    await this.session.run(this.account, sql`CREATE OR REPLACE TABLE ${this.name} AS SELECT * FROM ${this.name}`);
    this.dead = 0;
  }

  private async consolidate(columns: readonly Column[]): Promise<void> {
    this.rows = await this.session.run(
      this.account,
      sql`CREATE OR REPLACE TABLE ${this.name} AS ${consolidated(this.name, columns)}`,
    );
    this.dead = 0;
  }
}
