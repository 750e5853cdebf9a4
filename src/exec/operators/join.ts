import type { Column } from '../../base/schema.ts';
import { ident, sql, type Sql } from '../../base/sql.ts';
import { identityColumns } from '../../planner/demand.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { JoinBounds } from '../../planner/plan-joins.ts';
import type { BlockInput, SelectNode } from '../../planner/plan-select.ts';
import { streaming } from '../../planner/plan.ts';
import { inTime, keepLate, watchForLateRows } from '../late.ts';
import { StateTable } from '../state.ts';
import {
  anyLate,
  deltaTable,
  END_OF_TIME,
  LATENESS,
  least,
  passedBy,
  type EpochClock,
  type Explanation,
  type Operator,
  type OperatorContext,
} from './operator.ts';
import { blockSql, keptRows } from './select.ts';

interface Side {
  readonly input: BlockInput;
  readonly operator: Operator;
  /** The columns that are kept of it. */
  readonly columns: readonly string[];
  readonly state: StateTable;
  /** The side before it that keeps the same rows: a self join of two keeps them once. */
  readonly twin: Side | undefined;
  /** This epoch's accepted rows. */
  delta: Sql;
  rows: boolean;
}

/**
 * inner join of k streams: SELECT … FROM A, B, … WHERE …
 *
 * Δout = Σᵢ op(A₁', …, A'ᵢ₋₁, ΔAᵢ, Aᵢ₊₁, …, Aₖ): k terms, each the user's own FROM with one input replaced by its delta,
 * the earlier ones by their new state (') and the later ones by their old one.
 * State: the rows of each input. Where the conditions bound how far apart in time matching rows are, a row goes when no
 * row to come of any other input can match it, and a source's row is accepted iff its time is not before its
 * partition's own watermark.
 */
export class JoinOperator implements Operator {
  readonly node: SelectNode;
  private readonly context: OperatorContext;
  private readonly sides: readonly Side[];
  private produced = false;

  constructor(context: OperatorContext, node: SelectNode) {
    this.context = context;
    this.node = node;
    this.sides = this.makeSides();
  }

  private makeSides(): readonly Side[] {
    const inputs = streaming(this.node);
    const made: Side[] = [];
    inputs.forEach((input, i) => {
      const identity = this.node.demand.identity ? identityColumns(input.node) : [];
      const shared = this.selfJoin(inputs);
      const twin = shared ? made[0] : undefined;
      const uses = shared
        ? input.node.columns
            .map((column) => column.name)
            .filter((name) => inputs.some((other) => other.uses.includes(name)))
        : input.uses;
      const columns = [...new Set([...uses, ...identity])];
      const name = `${this.node.id}$${i}`;
      const state =
        twin?.state ??
        new StateTable(this.context.session, this.node.id, name, { weighted: weightedColumns(input, columns) });
      made.push({
        input,
        operator: this.context.operator(input.node),
        columns,
        state,
        twin,
        delta: twin?.delta ?? deltaTable(name),
        rows: false,
      });
    });
    return made;
  }

  /** Two inputs that keep the same rows for as long. */
  private selfJoin(inputs: readonly BlockInput[]): boolean {
    const [a, b] = inputs;
    const times = this.node.bounds?.columns ?? [];
    return (
      inputs.length === 2 &&
      a?.node === b?.node &&
      a?.filter === undefined &&
      b?.filter === undefined &&
      times[0] === times[1]
    );
  }

  get tables(): readonly StateTable[] {
    return this.sides.filter((side) => side.twin === undefined).map((side) => side.state);
  }

  private get bounds(): JoinBounds | undefined {
    return this.node.bounds;
  }

  async open(): Promise<void> {
    if (this.bounds?.clock === 'event') this.sides.forEach((side) => watchForLateRows(this.context, side.input.node));
    for (const [i, side] of this.sides.entries()) {
      const shape = keptRows(side.input, side.columns, side.operator.delta(false), undefined);
      if (side.twin !== undefined) side.delta = side.twin.delta;
      else {
        await side.state.create(shape);
        await this.context.session.run(
          this.node.id,
          sql`CREATE OR REPLACE TABLE ${deltaTable(`${this.node.id}$${i}`)} AS SELECT * FROM (${shape}) LIMIT 0`,
        );
      }
    }
    await this.context.session.run(
      this.node.id,
      sql`CREATE OR REPLACE TABLE ${deltaTable(this.node.id)} AS SELECT * FROM (${this.term(0)}) LIMIT 0`,
    );
  }

  async step(epoch: EpochClock): Promise<void> {
    const session = this.context.session;
    if (this.produced)
      await session.run(
        this.node.id,
        sql`CREATE OR REPLACE TABLE ${deltaTable(this.node.id)} AS SELECT * FROM ${deltaTable(this.node.id)} LIMIT 0`,
      );
    this.produced = false;
    for (const [i, side] of this.sides.entries()) await this.accept(side, i);
    for (const [i, side] of this.sides.entries()) {
      if (!side.rows) continue;
      if (this.sides.some((other, j) => j !== i && (other.state.rows > 0 || other.rows))) {
        const added = await session.run(this.node.id, sql`INSERT INTO ${deltaTable(this.node.id)} ${this.term(i)}`);
        this.produced ||= added > 0;
      }
      if (side.twin === undefined) await side.state.append(sql`SELECT * FROM ${side.delta}`);
    }
    if (this.bounds !== undefined) await this.evict(this.bounds, epoch);
  }

  /** The rows of a side's delta that this join accepts. */
  private async accept(side: Side, index: number): Promise<void> {
    side.rows = side.operator.hasRows();
    if (!side.rows) return;
    const name = deltaTable(`${this.node.id}$${index}`);
    if (side.twin !== undefined) {
      side.delta = side.twin.delta;
      return;
    }
    const late = this.bounds?.clock === 'event' && anyLate(this.context, side.input.node);
    const from = side.operator.delta(late);
    const accepted = late ? this.accepted(index) : undefined;
    if (late && accepted !== undefined)
      await keepLate(this.context, this.node, side.input.node, this.filtered(side, from), accepted);
    await this.context.session.run(
      this.node.id,
      sql`CREATE OR REPLACE TABLE ${name} AS ${keptRows(side.input, side.columns, from, accepted)}`,
    );
    side.delta = name;
  }

  /** Late rows are those that the view would have read: the filter holds for them. */
  private filtered(side: Side, from: Sql): Sql {
    const names = [this.timeColumn(this.sides.indexOf(side)), ...Object.values(LATENESS)];
    return sql`(${keptRows(side.input, names, from, undefined)})`;
  }

  private timeColumn(index: number): string {
    return this.bounds?.columns[index] ?? '';
  }

  private accepted(index: number): Sql {
    return inTime(ident(this.timeColumn(index)), this.bounds?.after[index] ?? 0n);
  }

  private term(index: number): Sql {
    const relations = new Map<string, Sql>();
    this.sides.forEach((side, j) =>
      relations.set(side.input.placeholder, j === index ? side.delta : this.stateOf(side)),
    );
    for (const input of this.node.inputs) {
      if (!relations.has(input.placeholder))
        relations.set(input.placeholder, this.context.operator(input.node).delta(false));
    }
    return blockSql(this.node, relations, false);
  }

  /** In term i the sides before i have been appended to already: their state is the new one, that of the later the old. */
  private stateOf(side: Side): Sql {
    return side.state.name;
  }

  private async evict(bounds: JoinBounds, _epoch: EpochClock): Promise<void> {
    for (const [i, side] of this.sides.entries()) {
      if (side.twin !== undefined) continue;
      const twins = this.sides.flatMap((other, j) => (j === i || other.twin === side ? [j] : []));
      const limits = twins.map((member) => this.limit(bounds, member));
      const limit = limits.reduce((low, next) => least(low, next));
      if (limit === undefined) continue;
      const column = ident(this.timeColumn(i));
      const type = side.input.node.columns.find((candidate) => candidate.name === this.timeColumn(i))?.type;
      if (this.sides.some((other) => other.rows) || limit >= END_OF_TIME / 2n)
        await side.state.evict(passedBy(column, limit, type));
    }
  }

  /** The latest time of a row of side i that no row to come of another side can match. */
  private limit(bounds: JoinBounds, i: number): bigint | undefined {
    let limit: bigint | undefined = END_OF_TIME;
    this.sides.forEach((other, j) => {
      if (j === i) return;
      const watermark = other.operator.watermark(bounds.clock);
      limit = least(
        limit,
        watermark === undefined ? undefined : watermark - (bounds.after[j] ?? 0n) - (bounds.reach[i]?.[j] ?? 0n),
      );
    });
    return limit;
  }

  delta(): Sql {
    return deltaTable(this.node.id);
  }

  hasRows(): boolean {
    return this.produced;
  }

  watermark(clock: Clock): bigint | undefined {
    return this.sides.map((side) => side.operator.watermark(clock)).reduce((low, next) => least(low, next));
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const bounded =
      this.bounds === undefined
        ? 'UNBOUNDED: no condition bounds how far apart in time the rows of a match are'
        : this.describeBounds(this.bounds);
    return {
      title: `join of ${this.sides.map((side) => side.input.alias).join(', ')}`,
      law:
        this.sides.length === 2
          ? 'Δout = ΔA⋈B + A′⋈ΔB'
          : `Δout = Σ of ${this.sides.length} terms, one input its delta in each`,
      state: this.sides
        .filter((side) => side.twin === undefined)
        .map((side) => `${side.state.name.text} (${side.columns.join(', ')})`)
        .join('; '),
      bound: bounded,
      sql: this.sides.map((_, i) => sql`INSERT INTO ${deltaTable(this.node.id)} ${this.term(i)}`.text),
    };
  }

  private describeBounds(bounds: JoinBounds): string {
    return this.sides
      .map((side, i) => {
        const longest = bounds.reach[i]?.reduce((most, next, j) => (j !== i && next > most ? next : most), 0n) ?? 0n;
        return `${side.input.alias}: rows go ${longest / 1000n} ms of ${bounds.columns[i] ?? ''} after the watermark of the others passed them`;
      })
      .join('; ');
  }
}

/** The columns of a changing input's multiset; undefined where rows are only ever added. */
function weightedColumns(input: BlockInput, columns: readonly string[]): readonly Column[] | undefined {
  if (input.node.appendOnly) return undefined;
  const kept = input.node.columns.filter((column) => columns.includes(column.name));
  return kept.length > 0 ? kept : [{ name: '$one', type: 'INTEGER' }];
}
