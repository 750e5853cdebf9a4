import { ident, sql, timestamp, type Sql } from '../../base/sql.ts';
import type { GateNode } from '../../planner/plan-holding.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields, instantMemo, instantOf } from '../checkpoint/memo.ts';
import { consolidated } from '../weights.ts';
import { HeldRows } from './held-rows.ts';
import { HoldingOperator } from './holding.ts';
import { END_OF_TIME, type EpochClock, type Explanation, type OperatorContext } from './operator.ts';

/**
 * gate: EMIT ON WINDOW CLOSE ALLOWED LATENESS. The groups whose window the watermark has closed, as they are now: below
 * it stands a live aggregation that accepts rows, and keeps groups, for so much longer than the window.
 *
 * Δout = the changes of groups that were closed before + all of those that closed, net. State: the changes of windows
 * that are not closed yet.
 */
export class GateOperator extends HoldingOperator {
  readonly node: GateNode;
  private readonly context: OperatorContext;
  protected readonly held: HeldRows;
  /** Windows up to here are closed; microseconds. */
  private closedUpTo: bigint | undefined;

  constructor(context: OperatorContext, node: GateNode) {
    super();
    this.context = context;
    this.node = node;
    this.held = new HeldRows(
      context,
      node,
      node.input.columns.filter((column) => column.name === node.close.column),
    );
  }

  save(): Memo {
    return { closedUpTo: instantMemo(this.closedUpTo) };
  }

  load(memo: Memo): void {
    this.closedUpTo = instantOf(fields(memo)['closedUpTo']);
  }

  open(): Promise<void> {
    return this.held.open(this.taken(), (state) => this.net(state));
  }

  async step(_epoch: EpochClock): Promise<void> {
    const { held, node } = this;
    const arrives = held.input.hasRows();
    if (arrives) await held.state.append(this.taken());
    const watermark = this.context.operator(node.input.input).watermark(node.close.clock);
    const limit = watermark === undefined ? undefined : watermark - node.close.after;
    const advanced = limit !== undefined && (this.closedUpTo === undefined || limit > this.closedUpTo);
    if (limit === undefined || held.state.rows === 0 || !(arrives || advanced)) return held.giveNothing();
    if (advanced) this.closedUpTo = limit;
    const closed = watermark !== undefined && watermark >= END_OF_TIME ? sql`true` : this.closed(limit);
    await held.give(this.net(sql`(SELECT * FROM ${held.state.name} WHERE ${closed})`));
    await held.state.evict(closed);
  }

  private get close(): Sql {
    return ident(this.node.close.column);
  }

  private taken(): Sql {
    return sql`SELECT ${this.held.list([this.close])} FROM ${this.held.input.delta(false)}`;
  }

  private net(changes: Sql): Sql {
    return consolidated(changes, this.node.columns);
  }

  private closed(limit: bigint): Sql {
    const type = this.node.input.columns.find((column) => column.name === this.node.close.column)?.type;
    return sql`${this.close} <= ${timestamp(limit, type !== 'TIMESTAMP')}`;
  }

  explain(): Explanation {
    const { held, node } = this;
    return {
      title: `emit on window close, corrected for ${node.lateness / 1000n} ms`,
      law: 'Δout = the changes of groups whose window was closed + the groups of windows that closed',
      state: `${held.state.name.text}: the changes of open windows`,
      bound: 'the watermark: what waits goes out when its window closes',
      sql: [
        sql`INSERT INTO ${held.state.name} ${this.taken()}`,
        sql`CREATE OR REPLACE TABLE ${held.output} AS ${this.net(sql`(SELECT * FROM ${held.state.name} WHERE ${this.closed(0n)})`)}`,
        sql`DELETE FROM ${held.state.name} WHERE ${this.closed(0n)}`,
      ].map((statement) => statement.text),
    };
  }
}
