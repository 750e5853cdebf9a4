import type { Column } from '../base/schema.ts';
import { ident, join, sql, type Sql } from '../base/sql.ts';
import type { Session } from './session.ts';
import { StateJournal, type PinnedTable } from './state-journal.ts';
import { consolidated } from './weights.ts';

/** Rows that lie dead in a table before it is written anew. */
const DEAD_ROWS = 100_000;

export interface StateTableShape {
  /** Of a multiset that is kept as a log of rows with weights: its columns. What was retracted lies dead until it is consolidated. */
  readonly weighted?: readonly Column[] | undefined;
  /** Of a table that `merge` changes: the columns of its key. None: it has one row. */
  readonly key?: readonly string[];
}

/** The content of a state table under another name. `next`: the number of the row that would come next. */
export interface StashedTable {
  readonly name: Sql;
  readonly rows: number;
  readonly next: number;
}

/**
 * A state table: all that changes it goes through here, so that it knows what a checkpoint has to write of it. Rows that
 * are cut are deleted, and the table is written anew when more of it is dead than alive, so a row is copied at most once
 * for each time that its table doubles.
 */
export class StateTable {
  readonly name: Sql;
  /** What checkpoints call it. */
  readonly label: string;
  private readonly session: Session;
  private readonly account: string;
  private readonly schema: string;
  private readonly shape: StateTableShape;
  private readonly journal: StateJournal;
  rows = 0;
  private dead = 0;

  constructor(session: Session, account: string, label: string, shape: StateTableShape = {}, schema = 'state') {
    this.session = session;
    this.account = account;
    this.label = label;
    this.schema = schema;
    this.name = ident(schema, label);
    this.shape = shape;
    this.journal = new StateJournal(session, account, label, shape.key);
  }

  /** Creates it empty, with the columns of a SELECT. */
  async create(shape: Sql): Promise<void> {
    await this.run(sql`CREATE OR REPLACE TABLE ${this.name} AS SELECT * FROM (${shape}) LIMIT 0`);
    this.rows = 0;
    this.dead = 0;
    this.journal.rewritten(0);
  }

  /** All that it holds becomes what a SELECT gives. */
  async replace(select: Sql): Promise<number> {
    this.rows = await this.run(sql`CREATE OR REPLACE TABLE ${this.name} AS ${select}`);
    this.dead = 0;
    this.journal.rewritten(this.rows);
    return this.rows;
  }

  async append(select: Sql): Promise<number> {
    const added = await this.run(sql`INSERT INTO ${this.name} ${select}`);
    this.rows += added;
    this.journal.appended(added);
    if (this.shape.weighted !== undefined) {
      this.dead += added;
      if (this.dead > DEAD_ROWS && this.dead > this.rows / 2) await this.consolidate(this.shape.weighted);
    }
    return added;
  }

  /**
   * Runs a MERGE: rows changed in place, rows added. `rows` becomes an upper bound. `now` gives the rows that it touched, as
   * they are after it; what is returned gives the same.
   */
  async merge(statement: Sql, now: Sql): Promise<Sql> {
    this.rows += await this.run(statement);
    return this.journal.touched(now);
  }

  /** Deletes what no row to come can touch. The condition is over the table's own columns and nothing else. */
  async evict(condition: Sql): Promise<number> {
    if (this.rows === 0) return 0;
    await this.journal.cut(condition);
    return this.gone(sql`DELETE FROM ${this.name} WHERE ${condition}`);
  }

  /** Deletes by a condition that only holds as things are now. What is left is written whole into the next checkpoint. */
  async prune(condition: Sql): Promise<number> {
    if (this.rows === 0) return 0;
    const gone = await this.gone(sql`DELETE FROM ${this.name} WHERE ${condition}`);
    if (gone > 0) this.journal.pruned();
    return gone;
  }

  /** Deletes the rows whose `columns` have the values of a row of `relation`: it calls them the same, and has no row twice. */
  async remove(relation: Sql, columns: readonly string[]): Promise<number> {
    if (this.rows === 0) return 0;
    if (columns.length === 0) return this.evict(sql`true`);
    await this.journal.removed(relation, columns);
    const same = columns.map((name) => sql`s.${ident(name)} IS NOT DISTINCT FROM t.${ident(name)}`);
    return this.gone(sql`DELETE FROM ${this.name} AS s USING ${relation} AS t WHERE ${join(same, ' AND ')}`);
  }

  /** Deletes groups of which nothing is left: a row of them that is journaled says so by itself. */
  async dropEmpty(condition: Sql): Promise<number> {
    if (this.rows === 0) return 0;
    this.journal.empty = condition;
    return this.gone(sql`DELETE FROM ${this.name} WHERE ${condition}`);
  }

  /** Moves what it holds out of the way of a table of the same name. */
  async stash(): Promise<StashedTable> {
    const name = `${this.label}$stashed`;
    await this.run(sql`ALTER TABLE ${this.name} RENAME TO ${ident(name)}`);
    return { name: ident(this.schema, name), rows: this.rows, next: this.journal.next };
  }

  /** It becomes what another one has stashed. */
  async adopt({ name, rows, next }: StashedTable): Promise<void> {
    await this.run(sql`DROP TABLE ${this.name}`);
    await this.run(sql`ALTER TABLE ${name} RENAME TO ${ident(this.label)}`);
    this.rows = rows;
    this.journal.rewritten(next);
  }

  /** What a checkpoint has to write, as the table is now; from here on changes count anew. Called between two epochs. */
  pin(): PinnedTable {
    return this.journal.pin(this.name, this.rows);
  }

  /** What was pinned is not written: the next checkpoint writes all. */
  unpinned(): void {
    this.journal.pruned();
  }

  /** It is as a checkpoint has it, whose segments have so many rows. `next`: the row number after its last. */
  restored(table: {
    readonly rows: number;
    readonly next: number;
    readonly segments: number;
    readonly segmentRows: number;
  }): void {
    this.rows = table.rows;
    this.dead = 0;
    this.journal.restored(table.rows, table.next);
    this.journal.written(table.segments, table.segmentRows);
  }

  /** What was pinned is written: the table is that many segments now, with so many rows. */
  written(segments: number, segmentRows: number): void {
    this.journal.written(segments, segmentRows);
  }

  private async gone(statement: Sql): Promise<number> {
    const gone = await this.run(statement);
    this.rows = Math.max(0, this.rows - gone);
    this.dead += gone;
    if (gone > 0) this.journal.changed();
    if (this.dead > DEAD_ROWS) await this.compact();
    return gone;
  }

  private run(statement: Sql): Promise<number> {
    return this.session.run(this.account, statement);
  }

  /** After a MERGE `rows` is no more than an upper bound; by this it is exact. */
  async recount(): Promise<void> {
    if (this.shape.key !== undefined && this.rows > 0) await this.count();
  }

  private async count(): Promise<void> {
    const [counted] = await this.session.rows(this.account, sql`SELECT count(*) AS n FROM ${this.name}`);
    this.rows = Number(counted?.['n'] ?? 0);
  }

  private async compact(): Promise<void> {
    await this.count();
    if (this.dead > this.rows) await this.replace(sql`SELECT * FROM ${this.name}`);
  }

  private async consolidate(columns: readonly Column[]): Promise<void> {
    await this.replace(consolidated(this.name, columns));
  }
}
