import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { ChangelogNode, ChangeSide } from '../../planner/plan-sources.ts';
import { LinearOperator } from './linear.ts';
import type { Explanation, Operator, OperatorContext } from './operator.ts';

/**
 * changelog: the rows that a source's changes come to, as a multiset: what the changes put less what they took away.
 * Linear: Δout = +after −before. It keeps nothing and trusts the source: a row that is taken away was put before.
 */
export class ChangelogOperator extends LinearOperator {
  readonly node: ChangelogNode;

  constructor(context: OperatorContext, node: ChangelogNode) {
    super(context);
    this.node = node;
  }

  protected inputs(): readonly Operator[] {
    return [this.context.operator(this.node.input)];
  }

  protected select(): Sql {
    const from = this.context.operator(this.node.input).delta(false);
    const side = ({ when, values }: ChangeSide, weight: number): Sql => {
      const items = values.map((value) => sql`${raw(value.sql)} AS ${ident(value.name)}`);
      const weighted = [...items, sql`CAST(${weight} AS BIGINT) AS ${ident(HIDDEN.weight)}`];
      return sql`SELECT ${join(weighted)} FROM ${from} AS ${ident(this.node.input.name)} WHERE ${raw(when)}`;
    };
    return sql`${side(this.node.put, 1)} UNION ALL ${side(this.node.end, -1)}`;
  }

  protected describe(): Pick<Explanation, 'title' | 'law'> {
    return { title: `changelog ${this.node.format}`, law: 'Δout = +after −before' };
  }
}
