import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { TableNode } from '../../planner/plan-sources.ts';
import { deltaTable, END_OF_TIME, type Explanation, type Operator, type OperatorContext } from './operator.ts';

/**
 * table: the user's INSERT, UPDATE and DELETE.
 *
 * Δout = contents after the epoch's changes − contents before. The state is the table itself, which the changes keep;
 * the runtime hands in the delta before the operators step.
 */
export class TableOperator implements Operator {
  readonly node: TableNode;
  private readonly context: OperatorContext;
  private rows = false;

  constructor(context: OperatorContext, node: TableNode) {
    this.context = context;
    this.node = node;
  }

  async open(): Promise<void> {
    const definitions = this.node.columns.map((column) => sql`${ident(column.name)} ${raw(column.type)}`);
    await this.context.session.run(
      this.node.id,
      sql`CREATE OR REPLACE TABLE ${this.delta()} (${join(definitions)}, "$n" BIGINT)`,
    );
  }

  /** The epoch's changes: a SELECT of the columns and `"$n"`; undefined where there are none. */
  async take(changes: Sql | undefined): Promise<void> {
    if (changes === undefined) {
      if (this.rows) await this.open();
      this.rows = false;
      return;
    }
    const made = await this.context.session.run(
      this.node.id,
      sql`CREATE OR REPLACE TABLE ${this.delta()} AS ${changes}`,
    );
    this.rows = made > 0;
  }

  /** The changes of an epoch that is done again, from where they were kept. */
  async takeLogged(log: Sql, epoch: number): Promise<void> {
    await this.take(sql`SELECT ${this.names}, "$n" FROM ${log} WHERE "$epoch" = ${epoch}`);
  }

  /** For those who begin now: `first` all that the results have of the table, then nothing. */
  async takeAll(first: boolean): Promise<void> {
    const all = sql`SELECT ${this.names}, CAST(1 AS BIGINT) AS "$n" FROM ${ident('res', 'main', this.node.name)}`;
    await this.take(first ? all : undefined);
  }

  private get names(): Sql {
    return join(this.node.columns.map((column) => ident(column.name)));
  }

  step(): Promise<void> {
    return Promise.resolve();
  }

  delta(): Sql {
    return deltaTable(this.node.id);
  }

  hasRows(): boolean {
    return this.rows;
  }

  /** No column of it is a time attribute: what it promises of them is kept. */
  watermark(): bigint {
    return END_OF_TIME;
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const { name, key } = this.node;
    return {
      title: `table ${name}${key.length === 0 ? '' : `, key ${key.join(', ')}`}`,
      law: 'Δout = the rows that the changes of the epoch inserted, less those that they deleted',
      state: ident('tables', name).text,
      bound: 'what the table holds',
      sql: [],
    };
  }
}
