import { raw, sql, type Sql } from '../../base/sql.ts';
import type { CoalesceNode } from '../../planner/plan-holding.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields, instantMemo, instantOf } from '../checkpoint/memo.ts';
import { consolidated } from '../weights.ts';
import { floorTo } from '../windows.ts';
import { HeldRows } from './held-rows.ts';
import { HoldingOperator } from './holding.ts';
import type { EpochClock, Explanation, OperatorContext } from './operator.ts';

/**
 * coalesce: EMIT EVERY. What the engine's clock had seen before its last multiple of the interval, and at the end all.
 *
 * Δout = Σ Δin of the epochs before that multiple which no step has given yet, net. State: those deltas that wait.
 */
export class CoalesceOperator extends HoldingOperator {
  readonly node: CoalesceNode;
  protected readonly held: HeldRows;
  /** The multiple up to which all is given; microseconds. */
  private upTo: bigint | undefined;

  constructor(context: OperatorContext, node: CoalesceNode) {
    super();
    this.node = node;
    this.held = new HeldRows(context, node, []);
  }

  save(): Memo {
    return { upTo: instantMemo(this.upTo) };
  }

  load(memo: Memo): void {
    this.upTo = instantOf(fields(memo)['upTo']);
  }

  open(): Promise<void> {
    return this.held.open(this.taken(), (state) => this.net(state));
  }

  async step(epoch: EpochClock): Promise<void> {
    const { held } = this;
    const multiple = floorTo(epoch.stamped, this.node.every, 0n);
    // The first epoch brings what there is without any input, the last all that there will be.
    const whole = this.upTo === undefined || epoch.last;
    const passed = this.upTo !== undefined && multiple > this.upTo;
    this.upTo = multiple;
    const arrives = held.input.hasRows();
    if (whole && arrives) await held.state.append(this.taken());
    if ((passed || whole) && held.state.rows > 0) {
      await held.give(this.net(held.state.name));
      await held.state.create(sql`SELECT * FROM ${held.state.name}`);
    } else await held.giveNothing();
    // An epoch's own rows come with its clock: they are of the stretch that begins at the multiple.
    if (!whole && arrives) await held.state.append(this.taken());
  }

  private taken(): Sql {
    return sql`SELECT ${this.held.list()} FROM ${this.held.input.delta(false)}`;
  }

  private net(state: Sql): Sql {
    return this.node.appendOnly ? sql`SELECT * FROM ${state}` : consolidated(state, this.node.columns);
  }

  due(): bigint | undefined {
    return this.upTo === undefined || this.held.state.rows === 0 ? undefined : this.upTo + this.node.every;
  }

  explain(): Explanation {
    return {
      title: `coalesce, emit every ${this.node.every / 1000n} ms`,
      law: `Δout = the ${this.node.appendOnly ? 'rows' : 'net changes'} since the last multiple of ${this.node.every / 1000n} ms of the engine's clock`,
      state: `${this.held.state.name.text}: the changes that wait`,
      bound: 'the clock: what waits goes at the next multiple',
      sql: [
        sql`INSERT INTO ${this.held.state.name} ${this.taken()}`,
        sql`CREATE OR REPLACE TABLE ${this.held.output} AS ${this.net(this.held.state.name)}`,
        sql`DELETE FROM ${this.held.state.name} WHERE ${raw('true')}`,
      ].map((statement) => statement.text),
    };
  }
}
