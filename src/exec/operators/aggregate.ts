import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, timestamp, type Sql } from '../../base/sql.ts';
import { identityColumns } from '../../planner/demand.ts';
import type { AggregateNode } from '../../planner/plan-aggregate.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields, instantMemo, instantOf } from '../checkpoint/memo.ts';
import { keepLate, watchForLateRows } from '../late.ts';
import { StateTable } from '../state.ts';
import { consolidated } from '../weights.ts';
import { bucket, floorTo } from '../windows.ts';
import { explainAggregate } from './aggregate-explain.ts';
import { AggregateSql } from './aggregate-sql.ts';
import { DistinctValues } from './distinct-values.ts';
import {
  anyLate, deltaTable, END_OF_TIME,
  type EpochClock, type Explanation, type Operator, type OperatorContext,
} from './operator.ts'; // prettier-ignore

/**
 * groupBy-reduce: SELECT keys, aggregates FROM … GROUP BY keys HAVING …, over append-only input, or over changing input by
 * aggregates that can take back (a row counts by its weight, and a group of which nothing is left goes).
 *
 * - ON WINDOW CLOSE: an epoch's partial results are appended; when the watermark passes the end of a window its groups
 *   are merged, given out once and dropped. Δout = groups of the windows that closed. State: partial results of open
 *   windows; for HOP by pane of gcd(slide, size), so that overlap costs nothing on the way in.
 * - CHANGES: one merged row a group, updated by the epoch's partial results. Δout = the touched groups as they are now − as
 *   they were. State: a row for each group, and for count(DISTINCT) the values that it has had; those of windows go when
 *   they close. DISTINCT over rows that are only added gives each group when it is first seen.
 * - Aggregates that do not merge keep the rows of their groups instead, and touched or closing groups are recomputed.
 */
export class AggregateOperator implements Operator {
  readonly node: AggregateNode;
  readonly sql: AggregateSql;
  private readonly context: OperatorContext;
  private readonly state: StateTable;
  /** The last output of each group. */
  private readonly last: StateTable;
  private readonly values: DistinctValues;
  private produced = false;
  private signedRows = false;
  /** Whether the output table holds rows, of this epoch or one before. */
  private filled = false;
  /** The one group without keys is given out before any input: in the first epoch. */
  private unseen = true;
  /** Groups up to here have been given out; microseconds. */
  private closedUpTo: bigint | undefined;

  constructor(context: OperatorContext, node: AggregateNode) {
    this.context = context;
    this.node = node;
    this.sql = new AggregateSql(node);
    this.state = new StateTable(context.session, node.id, node.id, this.merged ? { key: this.sql.groupColumns } : {});
    this.last = new StateTable(context.session, node.id, `${node.id}$last`);
    this.values = new DistinctValues(context, node, this.sql.groupColumns);
  }

  private get onClose(): boolean {
    return this.node.emit === 'on-window-close';
  }

  private get global(): boolean {
    return this.sql.groupColumns.length === 0;
  }

  private get input(): Operator {
    return this.context.operator(this.node.input);
  }

  private get output(): Sql {
    return deltaTable(this.node.id);
  }

  /** What was given of the touched groups before, and the delta with weights, for those who read the changes. */
  private get before(): Sql {
    return deltaTable(`${this.node.id}$before`);
  }

  private get signed(): Sql {
    return deltaTable(`${this.node.id}$signed`);
  }

  /** Its state has one row a group, which a MERGE changes. */
  private get merged(): boolean {
    return this.sql.merges && !this.onClose && !this.global && !this.node.firsts;
  }

  get tables(): readonly StateTable[] {
    return [this.state, ...(this.keepsLast ? [this.last] : []), ...this.values.states];
  }

  save(): Memo {
    return { unseen: this.unseen, closedUpTo: instantMemo(this.closedUpTo) };
  }

  load(memo: Memo): void {
    const saved = fields(memo);
    this.unseen = saved['unseen'] === true;
    this.closedUpTo = instantOf(saved['closedUpTo']);
  }

  /** The last output is kept where it cannot be told again from the state. */
  private get keepsLast(): boolean {
    return this.readSigned && (this.global || !this.sql.merges);
  }

  /** Whether anyone but a view reads the changes. */
  private get readSigned(): boolean {
    return !this.node.appendOnly && this.context.isRead(this.node);
  }

  private get touched(): Sql {
    return deltaTable(`${this.node.id}$touched`);
  }

  async open(): Promise<void> {
    if (this.node.close?.clock === 'event') watchForLateRows(this.context, this.node.input, this.node.window);
    const rows = this.input.delta(false);
    if (!this.sql.merges) await this.state.create(this.sql.keptRows(rows, this.rowColumns, false));
    else if (this.onClose) await this.state.create(this.sql.partial(rows, false));
    else await this.state.create(this.sql.merged(this.asGroups(sql`(${this.sql.partial(rows, false)})`)));
    await this.values.open(this.sql.exploded(rows));
    if (this.sql.merges && this.global) await this.addGlobal(rows, false);
    await this.write(
      this.node.appendOnly
        ? sql`${this.onClose ? this.closing(undefined) : this.firsts(this.state.name)} LIMIT 0`
        : sql`${this.allGroups()}${this.global ? sql`` : sql` LIMIT 0`}`,
    );
    this.produced = this.global;
    if (!this.readSigned) return;
    await this.run(sql`CREATE OR REPLACE TABLE ${this.before} AS SELECT * FROM ${this.output} LIMIT 0`);
    if (this.global) await this.last.replace(sql`SELECT * FROM ${this.output}`);
    else await this.last.create(sql`SELECT * FROM ${this.output}`);
    await this.run(sql`CREATE OR REPLACE TABLE ${this.signed} AS ${this.difference()}`);
  }

  private run(statement: Sql): Promise<number> {
    return this.context.session.run(this.node.id, statement);
  }

  private difference(): Sql {
    const names = join(this.node.columns.map((column) => ident(column.name)));
    const weighted = (table: Sql, weight: number): Sql =>
      sql`SELECT ${names}, ${weight} AS ${ident(HIDDEN.weight)} FROM ${table} WHERE "$keep"`;
    return consolidated(sql`(${weighted(this.output, 1)} UNION ALL ${weighted(this.before, -1)})`, this.node.columns);
  }

  async step(_epoch: EpochClock): Promise<void> {
    this.produced = this.unseen && this.global && !this.onClose;
    const first = this.produced;
    this.unseen = false;
    const late = this.node.close?.clock === 'event' && anyLate(this.context, this.node.input);
    const rows = this.input.delta(late);
    if (this.input.hasRows()) {
      if (late)
        await keepLate(
          this.context,
          this.node,
          this.node.input,
          this.sql.exploded(rows),
          this.sql.accepted(raw('"$w"')),
        );
      await (this.onClose ? this.append(rows, late) : this.change(rows, late, first));
    }
    if (this.readSigned && (this.produced || this.signedRows)) {
      if (!this.produced) await this.run(sql`TRUNCATE ${this.signed}`);
      else await this.run(sql`CREATE OR REPLACE TABLE ${this.signed} AS ${this.difference()}`);
      this.signedRows = this.produced;
    }
    await this.advance();
    // Whoever reads it together with others asks for it in every epoch.
    if (this.node.appendOnly && !this.produced && this.filled) {
      await this.run(sql`TRUNCATE ${this.output}`);
      this.filled = false;
    }
  }

  private async append(rows: Sql, late: boolean): Promise<void> {
    await this.state.append(
      this.sql.merges ? this.sql.partial(rows, late) : this.sql.keptRows(rows, this.rowColumns, late),
    );
  }

  private async change(rows: Sql, late: boolean, first: boolean): Promise<void> {
    const run = (statement: Sql): Promise<number> => this.run(statement);
    const { readSigned } = this;
    if (this.node.firsts) return this.giveFirsts(rows, late);
    const added = this.values.any ? await this.values.take(this.acceptedRows(rows, late)) : [];
    if (readSigned && this.global && !first)
      await run(sql`CREATE OR REPLACE TABLE ${this.before} AS SELECT * FROM ${this.last.name}`);
    if (this.sql.merges && this.global) {
      await this.addGlobal(rows, late, added);
      await this.write(this.allGroups());
    } else if (this.sql.merges) {
      await run(sql`CREATE OR REPLACE TABLE ${this.touched} AS ${this.epochGroups(rows, late, added)}`);
      if (readSigned)
        await run(
          sql`CREATE OR REPLACE TABLE ${this.before} AS ${this.sql.changedOutput(this.sql.fromMerged(sql`(${this.touchedState()})`))}`,
        );
      const merge = this.sql.mergeInto(this.state.name, this.touched);
      const now = await this.state.merge(merge, sql`(${this.touchedState()})`);
      await this.write(this.sql.changedOutput(this.sql.fromMerged(now)));
      if (this.node.weighted) await this.state.dropEmpty(this.sql.gone);
    } else {
      const columns = this.sql.groupColumns.map((name) => ident(name));
      const epochRows = deltaTable(`${this.node.id}$rows`);
      await run(sql`CREATE OR REPLACE TABLE ${epochRows} AS ${this.sql.keptRows(rows, this.rowColumns, late)}`);
      await run(
        sql`CREATE OR REPLACE TABLE ${this.touched} AS SELECT DISTINCT ${columns.length === 0 ? raw('1 AS "$one"') : join(columns)} FROM ${epochRows}`,
      );
      await this.state.append(sql`SELECT * FROM ${epochRows}`);
      await this.write(
        this.sql.changedOutput(this.sql.fromRows(this.global ? this.state.name : sql`(${this.touchedState()})`)),
      );
      if (readSigned && !this.global) {
        const same = this.sql.sameGroup('s', 'p');
        await run(
          sql`CREATE OR REPLACE TABLE ${this.before} AS SELECT * FROM ${this.last.name} AS s WHERE EXISTS (SELECT 1 FROM ${this.touched} AS p WHERE ${same})`,
        );
        await this.last.remove(this.touched, this.sql.groupColumns);
        await this.last.append(sql`SELECT * FROM ${this.output}`);
      }
    }
    if (readSigned && this.global) await this.last.replace(sql`SELECT * FROM ${this.output}`);
    this.produced = true;
  }

  private epochGroups(rows: Sql, late: boolean, added: readonly Sql[] = []): Sql {
    const partial = this.sql.partial(rows, late);
    if (added.length > 0) return this.sql.merged(sql`(${join([partial, ...added], ' UNION ALL BY NAME ')})`);
    return this.sql.panes ? this.sql.merged(this.asGroups(sql`(${partial})`)) : partial;
  }

  /** The input's rows that count, with the columns of their group. */
  private acceptedRows(rows: Sql, late: boolean): Sql {
    const all = this.sql.exploded(rows);
    return late ? sql`(SELECT * FROM ${all} WHERE ${this.sql.accepted(raw('"$w"'))})` : all;
  }

  /** DISTINCT: the groups that were not there before. */
  private async giveFirsts(rows: Sql, late: boolean): Promise<void> {
    await this.run(
      sql`CREATE OR REPLACE TABLE ${this.touched} AS SELECT p.* FROM (${this.epochGroups(rows, late)}) AS p ANTI JOIN ${this.state.name} AS s ON ${this.sql.sameGroup('p', 's')}`,
    );
    await this.state.append(sql`SELECT * FROM ${this.touched}`);
    await this.write(this.firsts(this.touched));
  }

  private firsts(groups: Sql): Sql {
    return this.sql.closedOutput(this.sql.fromMerged(groups), this.node.demand.identity);
  }

  /** Pane partials as those of windows; all else is by group already. */
  private asGroups(partial: Sql): Sql {
    return this.sql.panes ? this.sql.windows(partial, undefined, undefined) : partial;
  }

  private touchedState(): Sql {
    return sql`SELECT s.* FROM ${this.state.name} AS s WHERE EXISTS (SELECT 1 FROM ${this.touched} AS p WHERE ${this.sql.sameGroup('s', 'p')})`;
  }

  /** Without keys there is one group, also before any input: its state is one row. */
  private async addGlobal(rows: Sql, late: boolean, added: readonly Sql[] = []): Promise<void> {
    const parts = [sql`SELECT * FROM ${this.state.name}`, this.sql.partial(rows, late), ...added];
    const both = sql`(${join(parts, ' UNION ALL BY NAME ')})`;
    await this.state.replace(this.sql.merged(both));
  }

  private allGroups(): Sql {
    return this.sql.changedOutput(
      this.sql.merges ? this.sql.fromMerged(this.state.name) : this.sql.fromRows(this.state.name),
    );
  }

  private async write(select: Sql): Promise<void> {
    const rows = await this.context.session.run(this.node.id, sql`CREATE OR REPLACE TABLE ${this.output} AS ${select}`);
    this.produced = rows > 0;
    this.filled = rows > 0;
  }

  /** Gives out and drops the groups that the watermark has completed. */
  private async advance(): Promise<void> {
    const close = this.node.close;
    const watermark = close === undefined ? undefined : this.input.watermark(close.clock);
    if (close === undefined || watermark === undefined) return;
    const limit = this.limit(watermark, close.after);
    if (this.closedUpTo !== undefined && limit <= this.closedUpTo) return;
    const before = this.closedUpTo;
    this.closedUpTo = limit;
    if (this.state.rows === 0) return;
    const end = watermark >= END_OF_TIME;
    if (this.onClose) await this.write(this.closing(end ? undefined : limit, before));
    const complete = end ? raw('true') : this.complete(limit);
    await this.state.evict(complete);
    if (this.readSigned && !this.sql.merges) await this.last.evict(complete);
    if (this.values.any) await this.values.evict(complete);
  }

  /** The last window start, or key, that is complete at a watermark. */
  private limit(watermark: bigint, after: bigint): bigint {
    const window = this.sql.window;
    return window === undefined ? watermark - after : floorTo(watermark - after, window.slide, window.offset);
  }

  /** The complete groups' output; `upTo` undefined: all of them. */
  private closing(upTo: bigint | undefined, after?: bigint): Sql {
    const identity = this.node.demand.identity;
    if (this.sql.panes) {
      const windows = this.sql.windows(this.state.name, after, upTo);
      return this.sql.closedOutput(this.sql.fromMerged(sql`(${this.sql.merged(windows)})`), identity);
    }
    const complete =
      upTo === undefined ? this.state.name : sql`(SELECT * FROM ${this.state.name} WHERE ${this.complete(upTo)})`;
    const groups = this.sql.merges
      ? this.sql.fromMerged(sql`(${this.sql.merged(complete)})`)
      : this.sql.fromRows(complete);
    return this.sql.closedOutput(groups, identity);
  }

  /** Whether a row of state belongs to nothing but complete groups. */
  private complete(limit: bigint): Sql {
    const window = this.sql.window;
    if (window !== undefined && this.sql.panes && this.onClose) {
      return sql`${bucket(window.slide, raw('"$pane"'), window)} <= ${timestamp(limit, window.zoned)}`;
    }
    const column = this.node.close?.column ?? '$w';
    const type = this.node.keys.find((key) => key.name === column)?.type;
    return sql`${ident(column)} <= ${timestamp(limit, window === undefined ? type !== 'TIMESTAMP' : window.zoned)}`;
  }

  /** The columns of the input that are kept where rows are: keys, arguments, identity. */
  private get rowColumns(): readonly string[] {
    const names = this.node.input.columns.map((column) => column.name).filter((name) => name !== '$t');
    return [...names, ...(this.node.input.demand.identity ? identityColumns(this.node.input) : [])];
  }

  delta(): Sql {
    return this.node.appendOnly ? this.output : this.signed;
  }

  /** What it gave in an epoch, to be looked at: its delta, or, where nobody reads that, the touched groups as they are now. */
  given(): Sql {
    return this.node.appendOnly || !this.readSigned ? this.output : this.signed;
  }

  /** Of a live node, the touched groups as they are now: its columns, the group's key, and whether it is there, `$keep`. */
  upserts(): Sql {
    return this.output;
  }

  hasRows(): boolean {
    return this.produced;
  }

  watermark(clock: Clock): bigint | undefined {
    return this.onClose ? this.input.watermark(clock) : undefined;
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const rows = this.input.delta(false);
    const sqlText = this.onClose
      ? [
          sql`INSERT INTO ${this.state.name} ${this.sql.merges ? this.sql.partial(rows, false) : this.sql.keptRows(rows, this.rowColumns, false)}`,
          sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.closing(0n)}`,
          sql`DELETE FROM ${this.state.name} WHERE ${this.complete(0n)}`,
        ]
      : this.sql.merges && !this.global
        ? [
            sql`CREATE OR REPLACE TABLE ${this.touched} AS ${this.epochGroups(rows, false)}`,
            this.sql.mergeInto(this.state.name, this.touched),
            sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.sql.changedOutput(this.sql.fromMerged(sql`(${this.touchedState()})`))}`,
          ]
        : [sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.allGroups()}`];
    return explainAggregate({
      node: this.node,
      sql: this.sql,
      state: this.state.name.text,
      values: this.values.tables,
      statements: sqlText.map((statement) => statement.text),
    });
  }
}
