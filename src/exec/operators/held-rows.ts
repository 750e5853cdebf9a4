import { HIDDEN, type Column } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { HoldingNode } from '../../planner/plan-holding.ts';
import { StateTable } from '../state.ts';
import { hiddenColumns } from './linear.ts';
import { deltaTable, type Operator, type OperatorContext } from './operator.ts';

/**
 * What an operator that holds rows back shares with its like: its input's rows in a state table (columns, what tells them
 * apart, weights, and what says when they go), and a delta table that is written when some go out.
 */
export class HeldRows {
  readonly state: StateTable;
  readonly output: Sql;
  /** Whether the delta has rows. */
  produced = false;
  private readonly context: OperatorContext;
  private readonly node: HoldingNode;

  /** `extra`: further columns of the state. */
  constructor(context: OperatorContext, node: HoldingNode, extra: readonly Column[]) {
    this.context = context;
    this.node = node;
    this.output = deltaTable(node.id);
    const weighted = node.input.appendOnly ? undefined : [...node.columns, ...extra];
    this.state = new StateTable(context.session, node.id, node.id, { weighted });
  }

  get input(): Operator {
    return this.context.operator(this.node.input);
  }

  /** The columns of the delta, but for the weight. */
  get visible(): readonly Sql[] {
    const hidden = hiddenColumns(this.node, false).filter((name) => name !== HIDDEN.weight);
    return [...this.node.columns.map((column) => column.name), ...hidden].map((name) => ident(name));
  }

  /** What is kept of a row of the input. */
  get carried(): readonly Sql[] {
    return [...this.visible, ...(this.node.input.appendOnly ? [] : [ident(HIDDEN.weight)])];
  }

  /** The weight of a kept row. */
  get weight(): Sql {
    return this.node.input.appendOnly ? raw('CAST(1 AS BIGINT)') : ident(HIDDEN.weight);
  }

  run(statement: Sql): Promise<number> {
    return this.context.session.run(this.node.id, statement);
  }

  rows(statement: Sql): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return this.context.session.rows(this.node.id, statement);
  }

  /** Creates the state with the columns of `kept`, the delta with those of `given`. */
  async open(kept: Sql, given: (state: Sql) => Sql): Promise<void> {
    await this.state.create(kept);
    await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS SELECT * FROM (${given(this.state.name)}) LIMIT 0`);
  }

  /** Writes the delta. */
  async give(select: Sql): Promise<void> {
    const rows = await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS ${select}`);
    this.produced = rows > 0;
  }

  /** To be called where an epoch gives nothing. */
  async giveNothing(): Promise<void> {
    if (this.produced) await this.run(sql`TRUNCATE ${this.output}`);
    this.produced = false;
  }

  list(extra: readonly Sql[] = []): Sql {
    return join([...this.carried, ...extra]);
  }
}
