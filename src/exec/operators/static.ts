import { raw, sql, type Sql } from '../../base/sql.ts';
import type { StaticNode } from '../../planner/plan-sources.ts';
import { StateTable } from '../state.ts';
import { END_OF_TIME, type Explanation, type Operator, type OperatorContext } from './operator.ts';

/** static: a table that does not change while the stream runs, read once at the start. Δout = ∅, and no operator asks. */
export class StaticOperator implements Operator {
  readonly node: StaticNode;
  private readonly table: StateTable;

  constructor(context: OperatorContext, node: StaticNode) {
    this.node = node;
    this.table = new StateTable(context.session, node.id, node.id, {}, 'static');
  }

  /** A run that resumes has it as it was: what the state was made of. */
  get tables(): readonly StateTable[] {
    return [this.table];
  }

  async open(): Promise<void> {
    await this.table.replace(raw(this.node.sql));
  }

  step(): Promise<void> {
    return Promise.resolve();
  }

  delta(): Sql {
    return this.table.name;
  }

  hasRows(): boolean {
    return true;
  }

  watermark(): bigint {
    return END_OF_TIME;
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const statement = sql`CREATE TABLE ${this.delta()} AS ${raw(this.node.sql)}`;
    return {
      title: 'static table',
      law: 'Δout = ∅',
      state: 'the whole table',
      bound: 'read once, at the start',
      sql: [statement.text],
    };
  }
}
