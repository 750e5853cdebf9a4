import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, timestamp, type Sql } from '../../base/sql.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { SessionNode } from '../../planner/plan-windows.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields, instantMemo, instantOf } from '../checkpoint/memo.ts';
import { inTime, keepLate, watchForLateRows } from '../late.ts';
import { tellingApart } from '../same-row.ts';
import { StateTable } from '../state.ts';
import { sameKey, WEIGHT } from '../weights.ts';
import { micros, WINDOW_TIME } from '../windows.ts';
import { hiddenColumns } from './linear.ts';
import {
  anyLate,
  deltaTable,
  END_OF_TIME,
  type EpochClock,
  type Explanation,
  type Operator,
  type OperatorContext,
} from './operator.ts';

const [START, END, OLD_START, OLD_END, OLD_WEIGHT] = ['$start', '$end', '$old_start', '$old_end', '$old_n'].map((name) => ident(name)) as [Sql, Sql, Sql, Sql, Sql]; // prettier-ignore
/** Whether the session of a row is the one that it was in before. */
const SAME = sql`coalesce(${START} = ${OLD_START} AND ${END} = ${OLD_END}, false)`;

/**
 * session: SELECT *, first time of the session, last time + gap OVER sessions: rows of a partition of which each follows
 * the one before it at no more than the gap.
 *
 * - CHANGES: Δout = the rows within reach of what arrived, with their sessions as they are now − with those they had.
 * - ON WINDOW CLOSE: Δout = the rows of the sessions that end before the watermark.
 *
 * State: the rows of open sessions, each with the session that it was last given with. A session goes when no row to come
 * can lie in it or touch it: when its end is before the watermark.
 */
export class SessionOperator implements Operator {
  readonly node: SessionNode;
  private readonly context: OperatorContext;
  private readonly state: StateTable;
  private readonly weighted: boolean;
  private produced = false;
  private closedUpTo: bigint | undefined;

  constructor(context: OperatorContext, node: SessionNode) {
    this.context = context;
    this.node = node;
    this.weighted = !node.input.appendOnly;
    this.state = new StateTable(context.session, node.id, node.id);
  }

  get tables(): readonly StateTable[] {
    return [this.state];
  }

  save(): Memo {
    return { closedUpTo: instantMemo(this.closedUpTo) };
  }

  load(memo: Memo): void {
    this.closedUpTo = instantOf(fields(memo)['closedUpTo']);
  }

  private get onClose(): boolean {
    return this.node.emit === 'on-window-close';
  }

  private get output(): Sql {
    return deltaTable(this.node.id);
  }

  /** What came this epoch; how far it reaches, by partition; and the rows within its reach with their sessions as they are now. */
  private get arrived(): Sql {
    return deltaTable(`${this.node.id}$arrived`);
  }

  private get reach(): Sql {
    return deltaTable(`${this.node.id}$reach`);
  }

  private get fresh(): Sql {
    return deltaTable(`${this.node.id}$new`);
  }

  private get input(): Operator {
    return this.context.operator(this.node.input);
  }

  private get time(): Sql {
    return ident(this.node.column);
  }

  private get keyNames(): readonly string[] {
    return this.node.keys.map((key) => key.column.name);
  }

  private get visible(): readonly string[] {
    return this.node.columns.slice(0, -3).map((column) => column.name);
  }

  private get identity(): readonly string[] {
    return hiddenColumns(this.node, false).filter((name) => name !== HIDDEN.weight);
  }

  /** The columns of the input that are kept. */
  private get carried(): readonly Sql[] {
    return [...new Set([...this.visible, ...this.identity, this.node.column])].map((name) => ident(name));
  }

  /** What is kept of a row beside its weight and its session. */
  private get kept(): readonly Sql[] {
    return [...this.carried, ...this.keyNames.map((name) => ident(name))];
  }

  private run(statement: Sql): Promise<number> {
    return this.context.session.run(this.node.id, statement);
  }

  async open(): Promise<void> {
    if (this.node.time?.clock === 'event') watchForLateRows(this.context, this.node.input);
    await this.run(sql`CREATE OR REPLACE TABLE ${this.arrived} AS ${this.accepting(false)} LIMIT 0`);
    await this.run(sql`CREATE OR REPLACE TABLE ${this.reach} AS ${this.reaching()} LIMIT 0`);
    const none = sql`CAST(NULL AS ${raw(this.node.zoned ? 'TIMESTAMPTZ' : 'TIMESTAMP')})`;
    await this.state.create(sql`SELECT *, ${none} AS ${START}, ${none} AS ${END} FROM ${this.arrived}`);
    await this.run(sql`CREATE OR REPLACE TABLE ${this.fresh} AS ${this.sessions(true)}`);
    await this.run(
      sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.onClose ? this.closing(raw('false')) : this.changes()}`,
    );
  }

  async step(_epoch: EpochClock): Promise<void> {
    if (this.produced) await this.run(sql`TRUNCATE ${this.output}`);
    this.produced = false;
    if (this.input.hasRows() && (await this.accept())) await this.regroup();
    await this.advance();
  }

  private async accept(): Promise<boolean> {
    const late = this.node.time?.clock === 'event' && anyLate(this.context, this.node.input);
    if (late) await keepLate(this.context, this.node, this.node.input, this.input.delta(true), this.accepted());
    const rows = await this.run(sql`CREATE OR REPLACE TABLE ${this.arrived} AS ${this.accepting(late)}`);
    return rows > 0;
  }

  /** A row is judged alone: never by the session that it would join. */
  private accepted(): Sql {
    return inTime(this.time, this.node.time?.after ?? 0n);
  }

  /** The epoch's accepted rows. One without a time is in no session. */
  private accepting(late: boolean): Sql {
    const keys = this.node.keys.map((key) => sql`${raw(key.sql)} AS ${ident(key.column.name)}`);
    const weight = this.weighted ? [WEIGHT] : [];
    const where = late ? sql` AND ${this.accepted()}` : sql``;
    return sql`SELECT ${join([...this.carried, ...keys, ...weight])} FROM ${this.input.delta(late)} WHERE isfinite(${this.time})${where}`;
  }

  private reaching(): Sql {
    const keys = this.keyNames.map((name) => ident(name));
    const group = keys.length === 0 ? sql`` : sql` GROUP BY ${join(keys)}`;
    return sql`SELECT ${join([...keys, sql`min(${this.time}) AS "$low"`, sql`max(${this.time}) AS "$high"`])} FROM ${this.arrived}${group}`;
  }

  /** Whether what arrived may lie in, or touch, the session of a kept row. All rows of a session are within reach, or none. */
  private within(): Sql {
    const s = this.state.name;
    const apart = sql`s.${END} >= t."$low" AND s.${START} <= t."$high" + ${micros(this.node.gap)}`;
    return sql`FROM ${s} AS s WHERE EXISTS (SELECT 1 FROM ${this.reach} AS t WHERE ${sameKey('s', 't', this.keyNames)} AND ${apart})`;
  }

  private async regroup(): Promise<void> {
    const met = this.state.rows > 0;
    if (met) await this.run(sql`CREATE OR REPLACE TABLE ${this.reach} AS ${this.reaching()}`);
    await this.run(sql`CREATE OR REPLACE TABLE ${this.fresh} AS ${this.sessions(met)}`);
    if (!this.onClose) {
      const rows = await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.changes()}`);
      this.produced = rows > 0;
    }
    if (met) await this.state.remove(this.metSessions(), [...this.keyNames, '$start', '$end']);
    await this.state.append(this.keeping());
  }

  /** The sessions that what arrived reached. */
  private metSessions(): Sql {
    const keys = this.keyNames.map((name) => ident(name));
    const session = [sql`${OLD_START} AS ${START}`, sql`${OLD_END} AS ${END}`];
    return sql`(SELECT DISTINCT ${join([...keys, ...session])} FROM ${this.fresh} WHERE ${OLD_END} IS NOT NULL)`;
  }

  private keeping(): Sql {
    const weight = this.weighted ? [WEIGHT] : [];
    const there = this.weighted ? sql` WHERE ${WEIGHT} > 0` : sql``;
    return sql`SELECT ${join([...this.kept, ...weight, START, END])} FROM ${this.fresh}${there}`;
  }

  /** The rows within reach, old and new, with the sessions that they are in now: where one follows the last at more than the gap, a session begins. */
  private sessions(met: boolean): Sql {
    const keys = this.keyNames.map((name) => ident(name));
    // A row that was taken back bridges no gap any more.
    const apart = this.weighted ? [...keys, sql`(${WEIGHT} > 0)`] : keys;
    const by = (more: readonly Sql[]): Sql => {
      const all = [...apart, ...more];
      return all.length === 0 ? sql`` : sql`PARTITION BY ${join(all)} `;
    };
    const gap = micros(this.node.gap);
    const begins = sql`CASE WHEN ${this.time} <= lag(${this.time}) OVER (${by([])}ORDER BY ${this.time}) + ${gap} THEN 0 ELSE 1 END AS "$begins"`;
    const numbered = sql`SELECT *, sum("$begins") OVER (${by([])}ORDER BY ${this.time}) AS "$session" FROM (SELECT *, ${begins} FROM (${this.rows(met)}))`;
    const session = sql`OVER (${by([raw('"$session"')])})`;
    return sql`SELECT * EXCLUDE ("$begins", "$session"), min(${this.time}) ${session} AS ${START}, max(${this.time}) ${session} + ${gap} AS ${END} FROM (${numbered})`;
  }

  /** What is kept within reach of what arrived, and that; each row with the session that it was in. */
  private rows(met: boolean): Sql {
    const kept = this.kept;
    const zone = raw(this.node.zoned ? 'TIMESTAMPTZ' : 'TIMESTAMP');
    const weights = (old: Sql): readonly Sql[] => (this.weighted ? [WEIGHT, sql`${old} AS ${OLD_WEIGHT}`] : []);
    const fresh = sql`SELECT ${join([...kept, ...weights(raw('CAST(0 AS BIGINT)')), sql`CAST(NULL AS ${zone}) AS ${OLD_START}`, sql`CAST(NULL AS ${zone}) AS ${OLD_END}`])} FROM ${this.arrived}`;
    if (!met) return this.weighted ? this.summed(fresh) : fresh;
    const old = sql`SELECT ${join([...kept, ...weights(WEIGHT), sql`${START} AS ${OLD_START}`, sql`${END} AS ${OLD_END}`])} ${this.within()}`;
    const both = sql`${old} UNION ALL ${fresh}`;
    return this.weighted ? this.summed(both) : both;
  }

  /** Equal rows once: they have been in one session. */
  private summed(rows: Sql): Sql {
    const columns = this.node.input.columns.filter((column) =>
      this.carried.some((name) => name.text === ident(column.name).text),
    );
    const weights = [WEIGHT, OLD_WEIGHT].map((name) => sql`CAST(sum(${name}) AS BIGINT) AS ${name}`);
    const sessions = [OLD_START, OLD_END].map((name) => sql`max(${name}) AS ${name}`);
    return sql`SELECT ${join([...this.kept, ...weights, ...sessions])} FROM (${rows}) GROUP BY ${join([...this.kept, ...tellingApart(columns)])}`;
  }

  private changes(): Sql {
    const now = this.weighted ? WEIGHT : raw('1');
    const before = this.weighted ? OLD_WEIGHT : sql`CASE WHEN ${OLD_END} IS NULL THEN 0 ELSE 1 END`;
    const given = (start: Sql, end: Sql, weight: Sql): Sql =>
      sql`SELECT ${join([...this.columns(start, end), sql`CAST(${weight} AS BIGINT) AS ${WEIGHT}`])} FROM ${this.fresh} WHERE ${weight} <> 0`;
    const added = given(START, END, sql`(CASE WHEN ${SAME} THEN ${now} - ${before} ELSE ${now} END)`);
    const taken = given(OLD_START, OLD_END, sql`(CASE WHEN ${SAME} THEN 0 ELSE -${before} END)`);
    return sql`${added} UNION ALL ${taken}`;
  }

  private columns(start: Sql, end: Sql): readonly Sql[] {
    return [
      ...this.visible.map((name) => ident(name)),
      sql`${start} AS window_start`,
      sql`${end} AS window_end`,
      sql`${end} - ${WINDOW_TIME} AS window_time`,
    ];
  }

  private closing(condition: Sql): Sql {
    const hidden = this.identity.map((name) => ident(name));
    return sql`SELECT ${join([...this.columns(START, END), ...hidden])} FROM ${this.state.name} WHERE ${condition}`;
  }

  /** Gives out (ON WINDOW CLOSE) and drops the sessions that the watermark has completed. */
  private async advance(): Promise<void> {
    const { time } = this.node;
    const watermark = time === undefined ? undefined : this.input.watermark(time.clock);
    if (time === undefined || watermark === undefined) return;
    const limit = watermark - time.after;
    if (this.closedUpTo !== undefined && limit <= this.closedUpTo) return;
    this.closedUpTo = limit;
    if (this.state.rows === 0) return;
    const complete = watermark >= END_OF_TIME ? raw('true') : this.complete(limit);
    if (this.onClose) {
      const rows = await this.run(sql`INSERT INTO ${this.output} ${this.closing(complete)}`);
      this.produced = rows > 0;
    }
    await this.state.evict(complete);
  }

  private complete(limit: bigint): Sql {
    return sql`${END} <= ${timestamp(limit, this.node.zoned)}`;
  }

  delta(): Sql {
    return this.output;
  }

  hasRows(): boolean {
    return this.produced;
  }

  watermark(clock: Clock): bigint | undefined {
    return this.input.watermark(clock);
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const { column, gap, keys, time } = this.node;
    const by = keys.length === 0 ? 'all rows together' : `by ${keys.map((key) => key.sql).join(', ')}`;
    return {
      title: `session on ${column}, gap ${gap / 1000n} ms, ${by}, emit ${this.onClose ? 'on window close' : 'changes'}`,
      law: this.onClose
        ? 'Δout = the rows of the sessions that end before the watermark'
        : 'Δout = the rows within reach of what arrived, with their sessions as they are now − with those they had',
      state: `${this.state.name.text}: the rows of open sessions`,
      bound:
        time === undefined
          ? 'UNBOUNDED: nothing closes a session'
          : `the watermark: a session goes when it has ended before ${time.after <= 1n ? 'it' : `it by ${time.after / 1000n} ms`}`,
      sql: [
        sql`CREATE OR REPLACE TABLE ${this.fresh} AS ${this.sessions(true)}`,
        this.onClose
          ? sql`INSERT INTO ${this.output} ${this.closing(this.complete(0n))}`
          : sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.changes()}`,
      ].map((statement) => statement.text),
    };
  }
}
