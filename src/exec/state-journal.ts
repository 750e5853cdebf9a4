import { ident, join, sql, type Sql } from '../base/sql.ts';
import type { Session } from './session.ts';

/** As many segments, or as many rows in them for each that lives, and the table is written whole again. */
const MOST_SEGMENTS = 64;
const MOST_ROWS_FOR_ONE = 2;

/** What one checkpoint writes of a table, to be read in the snapshot of that moment. */
export interface PinnedTable {
  readonly table: Sql;
  readonly rows: number;
  /** Nothing changed since the last checkpoint. */
  readonly unchanged: boolean;
  readonly whole: boolean;
  /** A SELECT of the rows to write, where not `whole`. */
  readonly added: Sql | undefined;
  readonly conditions: readonly string[];
  /** A SELECT of the values by which rows of earlier checkpoints go. */
  readonly gone: Sql | undefined;
  readonly key: readonly string[] | undefined;
  /** Drop these when they have been read. */
  readonly used: readonly Sql[];
}

/**
 * What a state table gained and lost since the last checkpoint, so that a checkpoint costs what changed:
 *
 * - Rows that were appended are those from a row number on: DuckDB numbers a table's rows in the order in which they come, and
 *   deleting leaves gaps. (It numbers them anew when it checkpoints a database: `Duck.open` keeps it from doing so.)
 * - Rows that a MERGE touched are copied as they are after it; the last copy of a key counts.
 * - Deletes are conditions, which hold for the rows of earlier checkpoints as they did for the table's, or values of keys.
 */
export class StateJournal {
  private readonly session: Session;
  private readonly account: string;
  private readonly label: string;
  private readonly key: readonly string[] | undefined;
  /** Whether changes are noted; else the next checkpoint writes all. */
  private noting = false;
  private dirty = true;
  /** The number of the row that comes next. */
  next = 0;
  private mark = 0;
  private conditions: string[] = [];
  private generation = 0;
  private copies = false;
  private gone: { readonly table: Sql; readonly columns: readonly string[] } | undefined;
  /** The segments of the last checkpoint, and the rows in them. */
  private segments = 0;
  private segmentRows = 0;
  /** Holds for a row that a MERGE left of a group of which nothing is left. */
  empty: Sql | undefined;

  constructor(session: Session, account: string, label: string, key: readonly string[] | undefined) {
    this.session = session;
    this.account = account;
    this.label = label;
    this.key = key;
  }

  rewritten(rows: number): void {
    this.next = rows;
    this.pruned();
  }

  pruned(): void {
    this.noting = false;
    this.dirty = true;
  }

  changed(): void {
    this.dirty = true;
  }

  appended(rows: number): void {
    this.next += rows;
    if (rows > 0) this.dirty = true;
  }

  /** `next`: the row number after the last; restoring may have left gaps. */
  restored(rows: number, next: number): void {
    this.next = next;
    this.mark = next;
    this.dirty = false;
    this.noting = rows > this.session.journalFrom;
  }

  /** How the last checkpoint has the table. */
  written(segments: number, segmentRows: number): void {
    this.segments = segments;
    this.segmentRows = segmentRows;
  }

  async touched(now: Sql): Promise<Sql> {
    this.dirty = true;
    if (!this.noting) return now;
    const images = ident('delta', `${this.label}$now`);
    await this.run(sql`CREATE OR REPLACE TABLE ${images} AS SELECT * FROM ${now}`);
    if (!this.copies) await this.run(sql`CREATE OR REPLACE TABLE ${this.copiesTable} AS SELECT * FROM ${images}`);
    else await this.run(sql`INSERT INTO ${this.copiesTable} SELECT * FROM ${images}`);
    this.copies = true;
    return images;
  }

  async cut(condition: Sql): Promise<void> {
    if (!this.noting) return;
    this.conditions.push(condition.text);
    if (this.copies) await this.run(sql`DELETE FROM ${this.copiesTable} WHERE ${condition}`);
  }

  async removed(relation: Sql, columns: readonly string[]): Promise<void> {
    if (!this.noting) return;
    const names = join(columns.map((name) => ident(name)));
    if (this.gone === undefined) {
      const table = ident('delta', `${this.label}$gone${this.generation}`);
      await this.run(sql`CREATE OR REPLACE TABLE ${table} AS SELECT ${names} FROM ${relation}`);
      this.gone = { table, columns };
    } else if (this.gone.columns.join('\n') === columns.join('\n')) {
      await this.run(sql`INSERT INTO ${this.gone.table} SELECT ${names} FROM ${relation}`);
    } else this.pruned();
  }

  pin(table: Sql, rows: number): PinnedTable {
    const appended = this.next - this.mark;
    const crowded =
      this.segments >= MOST_SEGMENTS ||
      this.segmentRows + appended > MOST_ROWS_FOR_ONE * rows + this.session.journalFrom;
    const whole = !this.noting || crowded;
    const pinned: PinnedTable = {
      table,
      rows,
      unchanged: !this.dirty,
      whole,
      ...(whole ? { added: undefined, gone: undefined, key: undefined } : this.changes(table)),
      conditions: whole ? [] : [...new Set(this.conditions)],
      used: [...(this.copies ? [this.copiesTable] : []), ...(this.gone === undefined ? [] : [this.gone.table])],
    };
    this.mark = this.next;
    this.conditions = [];
    this.gone = undefined;
    this.copies = false;
    this.generation++;
    this.dirty = false;
    this.noting = rows > this.session.journalFrom;
    return pinned;
  }

  private changes(table: Sql): Pick<PinnedTable, 'added' | 'gone' | 'key'> {
    const { key } = this;
    if (key === undefined) {
      const added = this.next > this.mark ? sql`SELECT * FROM ${table} WHERE rowid >= ${this.mark}` : undefined;
      const gone = this.gone === undefined ? undefined : sql`SELECT DISTINCT * FROM ${this.gone.table}`;
      return { added, gone, key };
    }
    if (!this.copies) return { added: undefined, gone: undefined, key };
    const names = join(key.map((name) => ident(name)));
    const by = key.length === 0 ? sql`` : sql`PARTITION BY ${names} `;
    const last = sql`(SELECT * FROM ${this.copiesTable} QUALIFY row_number() OVER (${by}ORDER BY rowid DESC) = 1)`;
    if (this.empty === undefined) return { added: sql`SELECT * FROM ${last}`, gone: undefined, key };
    return {
      added: sql`SELECT * FROM ${last} WHERE NOT (${this.empty})`,
      gone: sql`SELECT ${names} FROM ${last} WHERE ${this.empty}`,
      key,
    };
  }

  private get copiesTable(): Sql {
    return ident('delta', `${this.label}$copies${this.generation}`);
  }

  private run(statement: Sql): Promise<number> {
    return this.session.run(this.account, statement);
  }
}
