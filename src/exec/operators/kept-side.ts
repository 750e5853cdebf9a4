import { HIDDEN, type Column } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { KeptInput } from '../../planner/plan-cogroup.ts';
import type { PlanNode } from '../../planner/plan.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { inTime, keepLate } from '../late.ts';
import { StateTable } from '../state.ts';
import { expanded } from '../weights.ts';
import { anyLate, deltaTable, type Operator, type OperatorContext } from './operator.ts';

/**
 * An input that an operator keeps as a multiset: the columns that it reads and what it computes from them, this epoch's
 * part of it in a delta table of its own. A static table is the delta of the first epoch.
 */
export class KeptSide {
  readonly input: KeptInput;
  readonly operator: Operator;
  /** The columns that are kept; those of `extra` are expressions over the input's own. */
  readonly columns: readonly Column[];
  readonly state: StateTable;
  readonly delta: Sql;
  /** Whether the delta has rows. */
  rows = false;
  private readonly context: OperatorContext;
  private readonly account: string;
  private readonly list: readonly Sql[];
  private fresh = true;

  constructor(
    context: OperatorContext,
    account: string,
    input: KeptInput,
    name: string,
    extra: readonly { readonly column: Column; readonly sql: string }[] = [],
  ) {
    this.context = context;
    this.account = account;
    this.input = input;
    this.operator = context.operator(input.node);
    const used = input.node.columns.filter((column) => input.uses.includes(column.name));
    this.columns = [...used, ...extra.map((added) => added.column)];
    this.list = [
      ...used.map((column) => ident(column.name)),
      ...extra.map((added) => sql`${raw(added.sql)} AS ${ident(added.column.name)}`),
      ...(this.columns.length === 0 ? [raw('1 AS "$one"')] : []),
      ...(this.weighted ? [ident(HIDDEN.weight)] : []),
    ];
    const full = `${account}$${name}`;
    this.delta = deltaTable(full);
    this.state = new StateTable(context.session, account, full, { weighted: this.weighted ? this.kept : undefined });
  }

  get weighted(): boolean {
    return !this.input.node.appendOnly;
  }

  private get kept(): readonly Column[] {
    return this.columns.length > 0 ? this.columns : [{ name: '$one', type: 'INTEGER' }];
  }

  /** The weight of a row of the delta or the state that stands under an alias. */
  weight(alias: string): Sql {
    return this.weighted ? ident(alias, HIDDEN.weight) : raw('CAST(1 AS BIGINT)');
  }

  save(): Memo {
    return this.fresh;
  }

  load(memo: Memo | undefined): void {
    this.fresh = memo === true;
  }

  async open(): Promise<void> {
    const shape = this.select(this.operator.delta(false), undefined);
    await this.state.create(shape);
    await this.context.session.run(
      this.account,
      sql`CREATE OR REPLACE TABLE ${this.delta} AS SELECT * FROM (${shape}) LIMIT 0`,
    );
  }

  /** Takes the epoch's rows, those for which `accepted` holds. */
  async accept(from: Sql, accepted: Sql | undefined): Promise<void> {
    const isStatic = this.input.node.kind === 'static';
    this.rows = isStatic ? this.fresh : this.operator.hasRows();
    this.fresh = false;
    if (!this.rows) return;
    const rows = await this.context.session.run(
      this.account,
      sql`CREATE OR REPLACE TABLE ${this.delta} AS ${this.select(from, accepted)}`,
    );
    this.rows = rows > 0;
  }

  /** Takes the epoch's rows that are in time for `refuser`; the others are kept as late. */
  async acceptInTime(refuser: PlanNode, time: Sql, after: bigint): Promise<void> {
    const late = this.operator.hasRows() && anyLate(this.context, this.input.node);
    const from = this.operator.delta(late);
    if (!late) return this.accept(from, undefined);
    const accepted = inTime(time, after);
    await keepLate(this.context, refuser, this.input.node, from, accepted);
    return this.accept(from, accepted);
  }

  async append(): Promise<void> {
    if (this.rows) await this.state.append(sql`SELECT * FROM ${this.delta}`);
  }

  /** The kept rows that `restricted` picks (over the alias `s`), each as often as it is there. */
  multiset(restriction: Sql): Sql {
    const names = join(this.kept.map((column) => ident('s', column.name)));
    const weight = this.weighted ? sql`, ${ident('s', HIDDEN.weight)}` : sql``;
    const rows = sql`SELECT ${names}${weight} FROM ${this.state.name} AS s ${restriction}`;
    return this.weighted ? expanded(sql`(${rows})`, this.kept) : rows;
  }

  private select(from: Sql, accepted: Sql | undefined): Sql {
    const where = accepted === undefined ? sql`` : sql` WHERE ${accepted}`;
    return sql`SELECT ${join(this.list)} FROM ${from}${where}`;
  }
}
