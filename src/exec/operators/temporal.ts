import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { TemporalNode, TimedInput } from '../../planner/plan-joins.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields, instantMemo, instantOf, items } from '../checkpoint/memo.ts';
import { inTime, keepLate, watchForLateRows } from '../late.ts';
import type { StateTable } from '../state.ts';
import { consolidated, sameKey } from '../weights.ts';
import { KeptSide } from './kept-side.ts';
import {
  anyLate,
  deltaTable,
  END_OF_TIME,
  least,
  passedBy,
  type EpochClock,
  type Explanation,
  type Operator,
  type OperatorContext,
} from './operator.ts';

/**
 * temporal join: SELECT … FROM L [LEFT] JOIN R ON R is, of the rows with the keys of l, the last at or before l's time.
 *
 * With at(X, R) for that join of X:
 * - CHANGES: Δout = at(ΔL, R′) + at(H, R′) − at(H, R), where H are the rows of L that a version of ΔR is not after.
 *   at() picks rows as they are, by a total order, so that what is taken back is what was given.
 * - ON WINDOW CLOSE: Δout = at(the rows of L that both watermarks have passed, R).
 *
 * State: rows of L, which go when no version to come can be theirs; versions, of which those that both watermarks have
 * passed go but for the last of each key. A row counts iff its time is not before its own partition's watermark.
 */
export class TemporalOperator implements Operator {
  readonly node: TemporalNode;
  private readonly context: OperatorContext;
  private readonly left: KeptSide;
  private readonly right: KeptSide;
  private produced = false;
  /** Up to here both watermarks have passed. */
  private passed: bigint | undefined;
  /** Up to here no version to come concerns a left row. */
  private settled: bigint | undefined;
  /** Versions that came since superseded ones were last looked for. */
  private unseen = 0;

  constructor(context: OperatorContext, node: TemporalNode) {
    this.context = context;
    this.node = node;
    const side = (input: TimedInput, name: string): KeptSide =>
      new KeptSide(context, node.id, input, name, node.keys.map((column, i) => ({ column: { ...column, name: `$k${i}` }, sql: input.keys[i] ?? 'NULL' }))); // prettier-ignore
    this.left = side(node.left, 'l');
    this.right = side(node.right, 'r');
  }

  get tables(): readonly StateTable[] {
    return [this.left.state, this.right.state];
  }

  save(): Memo {
    return {
      passed: instantMemo(this.passed),
      settled: instantMemo(this.settled),
      unseen: this.unseen,
      sides: [this.left.save(), this.right.save()],
    };
  }

  load(memo: Memo): void {
    const saved = fields(memo);
    this.passed = instantOf(saved['passed']);
    this.settled = instantOf(saved['settled']);
    this.unseen = Number(saved['unseen']);
    [this.left, this.right].forEach((side, i) => side.load(items(saved['sides'])[i]));
  }

  private get closes(): boolean {
    return this.node.emit === 'on-window-close';
  }

  private get output(): Sql {
    return deltaTable(this.node.id);
  }

  /** The rows of L whose version may be another now. */
  private get hit(): Sql {
    return deltaTable(`${this.node.id}$hit`);
  }

  private get keys(): readonly string[] {
    return this.node.keys.map((_, i) => `$k${i}`);
  }

  private run(statement: Sql): Promise<number> {
    return this.context.session.run(this.node.id, statement);
  }

  async open(): Promise<void> {
    for (const side of [this.left, this.right]) {
      watchForLateRows(this.context, side.input.node);
      await side.open();
    }
    await this.run(sql`CREATE OR REPLACE TABLE ${this.hit} AS SELECT * FROM ${this.left.state.name}`);
    const shape = this.closes ? this.at(this.left.delta) : this.weighted(this.left.delta, 1);
    await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS ${shape}`);
  }

  async step(_epoch: EpochClock): Promise<void> {
    const before = this.produced;
    this.produced = false;
    await this.accept(this.left, this.node.left);
    await this.accept(this.right, this.node.right);
    if (this.closes) await this.hold();
    else await this.revise();
    await this.evict();
    if (before && !this.produced) await this.run(sql`TRUNCATE ${this.output}`);
  }

  private async accept(side: KeptSide, input: TimedInput): Promise<void> {
    const late = side.operator.hasRows() && anyLate(this.context, input.node);
    const from = side.operator.delta(late);
    const accepted = inTime(ident(input.time), input.after);
    // Of a join with itself both sides refuse the same rows.
    const twin = side === this.right && input.node === this.node.left.node && input.time === this.node.left.time;
    if (late && !twin) await keepLate(this.context, this.node, input.node, from, accepted);
    const matchable = side === this.right ? input.keys.map((key) => sql`(${raw(key)}) IS NOT NULL`) : [];
    const conditions = [...(late ? [accepted] : []), ...matchable];
    await side.accept(from, conditions.length === 0 ? undefined : join(conditions, ' AND '));
  }

  private async revise(): Promise<void> {
    const { left, right } = this;
    const hits = right.rows && left.state.rows > 0 ? await this.run(sql`CREATE OR REPLACE TABLE ${this.hit} AS ${this.touched()}`) : 0; // prettier-ignore
    if (hits > 0) await this.give([this.weighted(this.hit, -1)]);
    const old = hits > 0 ? [sql`SELECT * FROM ${this.output}`] : [];
    await this.append();
    const fresh = [
      ...(hits > 0 ? [this.weighted(this.hit, 1)] : []),
      ...(left.rows ? [this.weighted(left.delta, 1)] : []),
    ];
    if (fresh.length > 0) await this.give([...old, ...fresh]);
  }

  private async hold(): Promise<void> {
    await this.append();
    const limit = this.limit;
    if (limit === undefined || (this.passed !== undefined && limit <= this.passed) || this.left.state.rows === 0)
      return;
    const due = sql`(SELECT * FROM ${this.left.state.name} WHERE ${this.upTo(this.node.left, limit)})`;
    const rows = await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.at(due)}`);
    this.produced = rows > 0;
  }

  private async append(): Promise<void> {
    await this.left.append();
    if (this.right.rows) {
      const before = this.right.state.rows;
      await this.right.append();
      this.unseen += this.right.state.rows - before;
    }
  }

  private touched(): Sql {
    const keys = this.keys.map((name) => ident(name));
    const since = sql`SELECT ${join([...keys, sql`min(${ident(this.node.right.time)}) AS t`])} FROM ${this.right.delta} GROUP BY ALL`;
    return sql`SELECT l.* FROM ${this.left.state.name} AS l JOIN (${since}) AS r ON ${sameKey('l', 'r', this.keys)} AND ${ident('l', this.node.left.time)} >= r.t`;
  }

  private async give(parts: readonly Sql[]): Promise<void> {
    const rows = join(parts, ' UNION ALL ');
    const made = parts.length > 1 ? consolidated(sql`(${rows})`, this.node.columns) : rows;
    this.produced = (await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS ${made}`)) > 0;
  }

  private weighted(rows: Sql, weight: number): Sql {
    return this.at(rows, [sql`CAST(${weight} AS BIGINT) AS ${ident(HIDDEN.weight)}`]);
  }

  /** Rows of the left side with the version of each. */
  private at(rows: Sql, more: readonly Sql[] = []): Sql {
    const { node } = this;
    const outputs = node.outputs.map((output) => sql`${raw(output.sql)} AS ${ident(output.name)}`);
    const keys = this.keys.map((name) => sql`${ident('$l', name)} = ${ident('$r', name)}`);
    const [l, r] = [ident('$l', node.left.time), ident('$r', node.right.time)];
    const on = join([...keys, node.strict ? sql`${l} > ${r}` : sql`${l} >= ${r}`], ' AND ');
    const where = node.where === undefined ? sql`` : sql` WHERE ${raw(node.where)}`;
    return sql`SELECT ${join([...outputs, ...more])} FROM ${rows} AS "$l" ASOF ${raw(node.outer ? 'LEFT' : 'INNER')} JOIN (${this.versions(rows)}) AS "$r" ON ${on}${where}`;
  }

  /** The versions of the keys of some rows: of those of one time the last by all columns. */
  private versions(rows: Sql): Sql {
    const names = this.keys.map((name) => ident(name));
    const semi =
      names.length === 0
        ? sql``
        : sql` SEMI JOIN (SELECT DISTINCT ${join(names)} FROM ${rows}) AS t ON ${sameKey('$r', 't', this.keys)}`;
    const by = join([...this.keys, this.node.right.time].map((name) => ident('$r', name)));
    return sql`SELECT * FROM ${this.right.state.name} AS "$r"${semi} QUALIFY row_number() OVER (PARTITION BY ${by} ORDER BY ${raw(this.node.lastFirst)}) = 1`;
  }

  /** The time that both watermarks have passed: every left row that is kept or to come, and every version to come, is after it. */
  private get limit(): bigint | undefined {
    return least(behind(this.left, this.node.left), behind(this.right, this.node.right));
  }

  private async evict(): Promise<void> {
    const limit = this.limit;
    const settled = this.closes ? limit : behind(this.right, this.node.right);
    if (settled !== undefined && (this.left.rows || settled !== this.settled))
      await this.left.state.evict(this.upTo(this.node.left, settled));
    this.settled = settled;
    if (limit === undefined || (this.passed !== undefined && limit <= this.passed)) return;
    this.passed = limit;
    // Looking for superseded versions reads them all: so only when there are half as many new ones.
    if (this.unseen * 3 < this.right.state.rows && limit < END_OF_TIME / 2n) return;
    this.unseen = 0;
    await this.right.state.prune(this.superseded(limit));
  }

  private superseded(limit: bigint): Sql {
    const state = this.right.state.name;
    const time = this.node.right.time;
    const keys = this.keys.map((name) => ident(name));
    const last = sql`SELECT ${join([...keys, sql`max(${ident(time)}) AS t`])} FROM ${state} WHERE ${this.upTo(this.node.right, limit)} GROUP BY ALL`;
    return sql`rowid IN (SELECT s.rowid FROM ${state} AS s JOIN (${last}) AS m ON ${sameKey('s', 'm', this.keys)} AND ${ident('s', time)} < m.t)`;
  }

  private upTo(input: TimedInput, limit: bigint): Sql {
    const type = input.node.columns.find((column) => column.name === input.time)?.type;
    return passedBy(ident(input.time), limit, type);
  }

  delta(): Sql {
    return this.output;
  }

  hasRows(): boolean {
    return this.produced;
  }

  watermark(clock: Clock): bigint | undefined {
    return this.closes ? least(this.left.operator.watermark(clock), this.right.operator.watermark(clock)) : undefined;
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const { left, right, strict } = this.node;
    const keys = left.keys.map((key, i) => `${key} = ${right.keys[i] ?? ''}`);
    const tables = [this.left, this.right].map((side) => side.state.name.text);
    return {
      title: `${this.node.outer ? 'left ' : ''}${this.node.title} on ${[...keys, `${left.time} ${strict ? '>' : '>='} ${right.time}`].join(', ')}`,
      law: this.closes
        ? 'Δout = the rows of L that both watermarks have passed, each with its version'
        : 'Δout = ΔL with its versions + the rows of L that ΔR concerns with their new version − with their old one',
      state: `${tables[0] ?? ''}: rows of the left side; ${tables[1] ?? ''}: versions`,
      bound: `the watermarks: left rows go when ${this.closes ? 'they are given' : 'no version to come can be theirs'}, versions when a later one of their key is passed; the last of each key stays`,
      sql: [
        sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.at(this.closes ? this.left.state.name : this.left.delta)}`
          .text,
      ],
    };
  }
}

/** The latest time that the watermark of a side has passed: its rows to come are after it. */
function behind(side: KeptSide, input: TimedInput): bigint | undefined {
  const watermark = side.operator.watermark('event');
  return watermark === undefined ? undefined : watermark - input.after;
}
