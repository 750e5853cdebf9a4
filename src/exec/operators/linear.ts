import { sql, type Sql } from '../../base/sql.ts';
import { HIDDEN } from '../../base/schema.ts';
import { identityColumns } from '../../planner/demand.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { PlanNode } from '../../planner/plan.ts';
import {
  anyLate,
  deltaTable,
  LATENESS,
  least,
  type EpochClock,
  type Explanation,
  type Operator,
  type OperatorContext,
} from './operator.ts';

/**
 * Linear operators keep nothing: Δout = op(Δin). Read by one operator, it is spliced into that one's statement and runs
 * no statement of its own; read by several, its delta is a table for the epoch.
 */
export abstract class LinearOperator implements Operator {
  abstract readonly node: PlanNode;
  protected readonly context: OperatorContext;

  constructor(context: OperatorContext) {
    this.context = context;
  }

  /** The SELECT over the inputs' deltas. */
  protected abstract select(withLateness: boolean): Sql;
  protected abstract inputs(): readonly Operator[];
  protected abstract describe(): Pick<Explanation, 'title' | 'law'>;

  private get shared(): boolean {
    return this.context.isShared(this.node);
  }

  async open(): Promise<void> {
    if (this.shared) await this.context.session.run(this.node.id, this.statement(false));
  }

  async step(_epoch: EpochClock): Promise<void> {
    if (!this.shared) return;
    await this.context.session.run(this.node.id, this.statement(this.mayBeLate()));
  }

  private statement(withLateness: boolean): Sql {
    return sql`CREATE OR REPLACE TABLE ${deltaTable(this.node.id)} AS ${this.select(withLateness)}`;
  }

  delta(withLateness: boolean): Sql {
    return this.shared ? deltaTable(this.node.id) : sql`(${this.select(withLateness)})`;
  }

  hasRows(): boolean {
    return this.inputs().some((input) => input.hasRows());
  }

  watermark(clock: Clock): bigint | undefined {
    const [first, ...others] = this.inputs().map((input) => input.watermark(clock));
    return others.reduce((low, next) => least(low, next), first);
  }

  mayBeLate(): boolean {
    return this.node.demand.watermark && anyLate(this.context, this.node);
  }

  explain(): Explanation {
    const statement = this.shared ? this.statement(false) : this.select(false);
    const fused = this.shared ? '' : ' (fused into its reader)';
    const { title, law } = this.describe();
    return { title: title + fused, law, state: 'none', bound: 'keeps nothing', sql: [statement.text] };
  }
}

/** The hidden columns that a node's delta carries. */
export function hiddenColumns(node: PlanNode, withLateness: boolean): readonly string[] {
  const visible = new Set(node.columns.map((column) => column.name));
  const identity = node.demand.identity ? identityColumns(node).filter((name) => !visible.has(name)) : [];
  const weight = node.appendOnly ? [] : [HIDDEN.weight];
  return [...new Set([...identity, ...weight, ...(withLateness ? Object.values(LATENESS) : [])])];
}
