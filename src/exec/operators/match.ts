import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, timestamp, type Sql } from '../../base/sql.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { MatchNode } from '../../planner/plan-joins.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields, instantMemo, instantOf, items } from '../checkpoint/memo.ts';
import { watchForLateRows } from '../late.ts';
import type { StateTable } from '../state.ts';
import { KeptSide } from './kept-side.ts';
import {
  deltaTable,
  END_OF_TIME,
  least,
  passedBy,
  type EpochClock,
  type Explanation,
  type Operator,
  type OperatorContext,
} from './operator.ts';

type Which = 0 | 1;
const ALIASES = ['$l', '$r'] as const;
const other = (which: Which): Which => (which === 0 ? 1 : 0);

/**
 * Outer, semi and anti joins: SELECT … FROM L LEFT | RIGHT | FULL | SEMI | ANTI JOIN R ON on.
 *
 * - Pairs: ΔL⋈R′ + L⋈ΔR, weights multiplied.
 * - A side's rows alone: let m(l) be how many rows of R match l. Δ = Σ over ΔL of w·[m′(l) = 0] + Σ over the rows of L that
 *   ΔR matches of w·([m′(l) = 0] − [m(l) = 0]), where m(l) = m′(l) − m of ΔR; for a semi join m > 0 in place of m = 0.
 * - ON WINDOW CLOSE: a row without a match is given once, when the watermark proves that none can come.
 *
 * State: the rows of both sides. With a time bound a row goes when no row to come can match it, nor any row that is still
 * to be given or taken back for the want of a match.
 */
export class MatchOperator implements Operator {
  readonly node: MatchNode;
  private readonly context: OperatorContext;
  private readonly sides: readonly [KeptSide, KeptSide];
  private produced = false;
  /** Up to here it has been proved of each side's rows that nothing matches them any more. */
  private readonly proved: (bigint | undefined)[] = [undefined, undefined];

  constructor(context: OperatorContext, node: MatchNode) {
    this.context = context;
    this.node = node;
    this.sides = [new KeptSide(context, node.id, node.left, 'l'), new KeptSide(context, node.id, node.right, 'r')];
  }

  get tables(): readonly StateTable[] {
    return this.sides.map((side) => side.state);
  }

  save(): Memo {
    return { proved: this.proved.map(instantMemo), sides: this.sides.map((side) => side.save()) };
  }

  load(memo: Memo): void {
    const saved = fields(memo);
    this.sides.forEach((side, i) => {
      this.proved[i] = instantOf(items(saved['proved'])[i]);
      side.load(items(saved['sides'])[i]);
    });
  }

  private get output(): Sql {
    return deltaTable(this.node.id);
  }

  private candidates(which: Which): Sql {
    return deltaTable(`${this.node.id}$${ALIASES[which].slice(1)}$candidates`);
  }

  private run(statement: Sql): Promise<number> {
    return this.context.session.run(this.node.id, statement);
  }

  private alone(which: Which): 'matched' | 'unmatched' | undefined {
    return which === 0 ? this.node.gives.left : this.node.gives.right;
  }

  /** Rows without a match wait for the watermark. */
  private get waits(): boolean {
    return this.node.emit === 'on-window-close' && this.node.gives.left !== 'matched';
  }

  async open(): Promise<void> {
    for (const side of this.sides) {
      if (this.node.bounds?.clock === 'event') watchForLateRows(this.context, side.input.node);
      await side.open();
    }
    const shape = this.pairs(this.sides[0].delta, this.sides[1].delta);
    await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS SELECT * FROM (${shape}) LIMIT 0`);
  }

  async step(_epoch: EpochClock): Promise<void> {
    if (this.produced) await this.run(sql`TRUNCATE ${this.output}`);
    this.produced = false;
    const [left, right] = this.sides;
    await this.accept(0);
    await this.accept(1);
    if (left.rows || right.rows) {
      if (right.rows && left.state.rows > 0 && this.node.gives.pairs)
        await this.give(this.pairs(left.state.name, right.delta));
      if (!this.waits) for (const which of [0, 1] as const) await this.collect(which);
      await right.append();
      if (left.rows && right.state.rows > 0 && this.node.gives.pairs)
        await this.give(this.pairs(left.delta, right.state.name));
      if (this.waits) await this.prove(0);
      await left.append();
      if (this.waits) await this.prove(1);
      else for (const which of [0, 1] as const) await this.settle(which);
    } else if (this.waits) {
      await this.prove(0);
      await this.prove(1);
    }
    await this.evict();
  }

  private async accept(which: Which): Promise<void> {
    const side = this.sides[which];
    const { bounds } = this.node;
    if (bounds?.clock !== 'event') return side.accept(side.operator.delta(false), undefined);
    return side.acceptInTime(this.node, ident(bounds.columns[which] ?? ''), bounds.after[which] ?? 0n);
  }

  private async give(select: Sql): Promise<void> {
    const rows = await this.run(sql`INSERT INTO ${this.output} ${select}`);
    this.produced ||= rows > 0;
  }

  private list(weight: Sql): Sql {
    const outputs = this.node.outputs.map((output) => sql`${raw(output.sql)} AS ${ident(output.name)}`);
    if (!this.node.appendOnly) outputs.push(sql`${weight} AS ${ident(HIDDEN.weight)}`);
    return join(outputs);
  }

  private pairs(left: Sql, right: Sql): Sql {
    const weight = sql`${this.sides[0].weight('$l')} * ${this.sides[1].weight('$r')}`;
    return sql`SELECT ${this.list(weight)} FROM ${left} AS "$l" JOIN ${right} AS "$r" ON ${raw(this.node.on)}`;
  }

  /** Rows of one side alone, the other's columns NULL. */
  private single(which: Which, rows: Sql, weight: Sql): Sql {
    const absent = sql`(SELECT * FROM ${this.sides[other(which)].delta} WHERE false)`;
    return sql`SELECT ${this.list(weight)} FROM ${rows} AS ${ident(ALIASES[which])} LEFT JOIN ${absent} AS ${ident(ALIASES[other(which)])} ON true`;
  }

  /** The rows of a side whose having a match may have changed: the new ones, and the old ones that the other's delta matches. */
  private async collect(which: Which): Promise<void> {
    if (this.alone(which) === undefined) return;
    const [side, across] = [this.sides[which], this.sides[other(which)]];
    const [own, its] = [ident(ALIASES[which]), ALIASES[other(which)]];
    const names = side.columns.map((column) => ident('s', column.name));
    const parts: Sql[] = [];
    if (side.rows)
      parts.push(
        sql`SELECT ${join([...names, sql`${side.weight('s')} AS "$w"`, raw('CAST(0 AS HUGEINT) AS "$m"'), raw('true AS "$fresh"')])} FROM ${side.delta} AS s`,
      );
    if (across.rows && side.state.rows > 0) {
      const met = sql`SELECT ${own}.rowid AS id, sum(${across.weight(its)}) AS m
        FROM ${side.state.name} AS ${own} JOIN ${across.delta} AS ${ident(its)} ON ${raw(this.node.on)} GROUP BY 1`;
      parts.push(
        sql`SELECT ${join([...names, sql`${side.weight('s')} AS "$w"`, raw('c.m AS "$m"'), raw('false AS "$fresh"')])} FROM ${side.state.name} AS s JOIN (${met}) AS c ON s.rowid = c.id`,
      );
    }
    if (parts.length === 0) {
      await this.run(sql`DROP TABLE IF EXISTS ${this.candidates(which)}`);
      return;
    }
    await this.run(
      sql`CREATE OR REPLACE TABLE ${this.candidates(which)} AS SELECT row_number() OVER () AS "$id", * FROM (${join(parts, ' UNION ALL ')})`,
    );
  }

  private async settle(which: Which): Promise<void> {
    const [side, across] = [this.sides[which], this.sides[other(which)]];
    if (this.alone(which) === undefined || !(side.rows || across.rows)) return;
    if (side.rows || side.state.rows > 0) await this.give(this.settled(which));
  }

  /** The candidates of a side whose having a match has changed. */
  private settled(which: Which): Sql {
    const across = this.sides[other(which)];
    const [own, its] = [ident(ALIASES[which]), ALIASES[other(which)]];
    const met = sql`SELECT ${own}."$id" AS id, sum(${across.weight(its)}) AS m
      FROM ${this.candidates(which)} AS ${own} JOIN ${across.state.name} AS ${ident(its)} ON ${raw(this.node.on)} GROUP BY 1`;
    const has = (count: Sql): Sql => (this.alone(which) === 'matched' ? sql`${count} > 0` : sql`${count} = 0`);
    const now = sql`coalesce(c.m, 0)`;
    const was = sql`(NOT s."$fresh" AND ${has(sql`${now} - s."$m"`)})`;
    const weight = sql`s."$w" * (CAST(${has(now)} AS BIGINT) - CAST(${was} AS BIGINT))`;
    const rows = sql`(SELECT s.*, ${weight} AS "$d" FROM ${this.candidates(which)} AS s LEFT JOIN (${met}) AS c ON s."$id" = c.id WHERE ${weight} <> 0)`;
    return this.single(which, rows, ident(ALIASES[which], '$d'));
  }

  /** ON WINDOW CLOSE: gives the rows of which the watermark now proves that nothing matches them. */
  private async prove(which: Which): Promise<void> {
    const { bounds } = this.node;
    if (bounds === undefined || this.alone(which) === undefined) return;
    const limit = this.limit(bounds, which);
    if (limit === undefined) return;
    const side = this.sides[which];
    const before = this.proved[which];
    this.proved[which] = limit;
    const time = ident('s', bounds.columns[which] ?? '');
    const passed = passedBy(time, limit, this.timeType(which));
    const since = before === undefined ? sql`true` : sql`${time} > ${this.instant(which, before)}`;
    const names = join(side.columns.map((column) => ident('s', column.name)));
    const parts: Sql[] = [];
    // Its own delta is not appended yet while the left side is proved, but it is when the right side is.
    const appended = which === 1;
    if (before === undefined || limit > before) {
      if (side.state.rows > 0)
        parts.push(sql`SELECT ${names} FROM ${side.state.name} AS s WHERE ${passed} AND ${since}`);
    }
    if (side.rows) {
      const late =
        appended && before !== undefined && limit > before ? sql`${time} <= ${this.instant(which, before)}` : sql`true`;
      if (!appended || before !== undefined)
        parts.push(sql`SELECT ${names} FROM ${side.delta} AS s WHERE ${passed} AND ${late}`);
    }
    if (parts.length === 0) return;
    await this.give(this.proven(which, sql`(${join(parts, ' UNION ALL ')})`));
  }

  /** Rows of a side that nothing matches. */
  private proven(which: Which, rows: Sql): Sql {
    const across = this.sides[other(which)];
    const unmatched = sql`(SELECT * FROM ${rows} AS ${ident(ALIASES[which])}
      WHERE NOT EXISTS (SELECT 1 FROM ${across.state.name} AS ${ident(ALIASES[other(which)])} WHERE ${raw(this.node.on)}))`;
    return this.single(which, unmatched, raw('CAST(1 AS BIGINT)'));
  }

  private instant(which: Which, at: bigint): Sql {
    return timestamp(at, this.timeType(which) !== 'TIMESTAMP');
  }

  private timeType(which: Which): string | undefined {
    const name = this.node.bounds?.columns[which];
    return this.sides[which].columns.find((column) => column.name === name)?.type;
  }

  /** The latest time of a row of a side that no row to come of the other can match. */
  private limit(bounds: NonNullable<MatchNode['bounds']>, which: Which): bigint | undefined {
    const across = other(which);
    const watermark = this.sides[across].operator.watermark(bounds.clock);
    if (watermark === undefined) return undefined;
    return watermark - (bounds.after[across] ?? 0n) - (bounds.reach[which]?.[across] ?? 0n);
  }

  private async evict(): Promise<void> {
    const { bounds } = this.node;
    if (bounds === undefined) return;
    const limits = [this.limit(bounds, 0), this.limit(bounds, 1)];
    const moved = this.sides.some((side) => side.rows);
    for (const which of [0, 1] as const) {
      const across = other(which);
      const pending = limits[across];
      const held =
        this.alone(across) === undefined
          ? limits[which]
          : least(limits[which], pending === undefined ? undefined : pending - (bounds.reach[which]?.[across] ?? 0n));
      if (held === undefined) continue;
      if (!moved && held < END_OF_TIME / 2n) continue;
      const time = ident(bounds.columns[which] ?? '');
      await this.sides[which].state.evict(passedBy(time, held, this.timeType(which)));
    }
  }

  delta(): Sql {
    return this.output;
  }

  hasRows(): boolean {
    return this.produced;
  }

  watermark(clock: Clock): bigint | undefined {
    return least(this.sides[0].operator.watermark(clock), this.sides[1].operator.watermark(clock));
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const { gives, bounds } = this.node;
    const kind = gives.pairs
      ? gives.left === undefined ? 'right outer' : gives.right === undefined ? 'left outer' : 'full outer'
      : gives.left === 'matched' ? 'semi' : 'anti'; // prettier-ignore
    const [left, right] = this.sides;
    const pairs = gives.pairs
      ? [this.pairs(left.state.name, right.delta), this.pairs(left.delta, right.state.name)]
      : [];
    const alone = ([0, 1] as const)
      .filter((which) => this.alone(which) !== undefined)
      .map((which) => (this.waits ? this.proven(which, this.sides[which].state.name) : this.settled(which)));
    return {
      title: `${kind} join on ${this.node.on}`,
      law: this.waits
        ? `Δout = ${gives.pairs ? 'ΔL⋈R′ + L⋈ΔR + ' : ''}the rows of which the watermark proved that nothing matches them`
        : `Δout = ${gives.pairs ? 'ΔL⋈R′ + L⋈ΔR + ' : ''}±the rows that gained their first match or lost their last`,
      state: this.sides
        .map((side) => `${side.state.name.text} (${side.columns.map((column) => column.name).join(', ')})`)
        .join('; '),
      bound:
        bounds === undefined
          ? 'UNBOUNDED: both sides stay, for no condition bounds the time between matching rows'
          : `the watermarks: a row goes when no row to come of the other side can match it, by ${this.sides.map((side, i) => `${side.input.node.id}.${bounds.columns[i] ?? ''}`).join(' and ')}`,
      sql: [...pairs, ...alone].map((select) => sql`INSERT INTO ${this.output} ${select}`.text),
    };
  }
}
