import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import { identityColumns } from '../../planner/demand.ts';
import type { UnionNode } from '../../planner/plan-select.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields } from '../checkpoint/memo.ts';
import { LinearOperator } from './linear.ts';
import { LATENESS, type EpochClock, type Explanation, type Operator, type OperatorContext } from './operator.ts';

/** UNION ALL. Linear: Δout = ΔA + ΔB. A static table is part of the first epoch's delta alone. */
export class UnionOperator extends LinearOperator {
  readonly node: UnionNode;
  private epochs = 0;

  constructor(context: OperatorContext, node: UnionNode) {
    super(context);
    this.node = node;
  }

  /** Static tables are over after the first epoch. */
  save(): Memo {
    return { epochs: this.epochs };
  }

  load(memo: Memo): void {
    this.epochs = Number(fields(memo)['epochs']);
  }

  protected inputs(): readonly Operator[] {
    return this.node.inputs.map((input) => this.context.operator(input));
  }

  override async step(epoch: EpochClock): Promise<void> {
    this.epochs++;
    await super.step(epoch);
  }

  override hasRows(): boolean {
    return this.inputs().some((input) => (input.node.kind === 'static' ? this.epochs <= 1 : input.hasRows()));
  }

  protected select(withLateness: boolean): Sql {
    const width = identityColumns(this.node).length - 1;
    const branches = this.node.inputs.map((input, branch) => {
      const visible = this.node.columns.map((column, i) => {
        const from = ident(input.columns[i]?.name ?? column.name);
        return sql`CAST(${from} AS ${raw(column.type)}) AS ${ident(column.name)}`;
      });
      const hidden: Sql[] = [];
      if (this.node.demand.identity) {
        const own = identityColumns(input);
        hidden.push(sql`${branch}::INTEGER AS "$u"`);
        for (let i = 0; i < width; i++) {
          hidden.push(sql`${own[i] === undefined ? raw('NULL') : ident(own[i] ?? '')} AS ${ident(`$i${i}`)}`);
        }
      }
      if (!this.node.appendOnly)
        hidden.push(
          sql`${input.appendOnly ? raw('CAST(1 AS BIGINT)') : ident(HIDDEN.weight)} AS ${ident(HIDDEN.weight)}`,
        );
      const fixed = input.kind === 'static';
      if (withLateness)
        hidden.push(...Object.values(LATENESS).map((name) => (fixed ? sql`NULL AS ${ident(name)}` : ident(name))));
      const over = fixed && this.epochs > 1 ? sql` WHERE false` : sql``;
      return sql`SELECT ${join([...visible, ...hidden])} FROM ${this.context.operator(input).delta(withLateness)}${over}`;
    });
    return join(branches, ' UNION ALL ');
  }

  protected describe(): Pick<Explanation, 'title' | 'law'> {
    return { title: 'union', law: 'Δout = ΔA + ΔB' };
  }
}
