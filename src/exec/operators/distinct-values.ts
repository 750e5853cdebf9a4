import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { AggregateNode } from '../../planner/plan-aggregate.ts';
import { StateTable } from '../state.ts';
import { sameKey } from '../weights.ts';
import { deltaTable, type OperatorContext } from './operator.ts';

/**
 * count(DISTINCT x) over rows that are only added: the values that each group has had. Δcount = how many of an epoch's
 * values the group did not have. State: a row for each group and value.
 */
export class DistinctValues {
  private readonly context: OperatorContext;
  private readonly account: string;
  private readonly keys: readonly string[];
  private readonly counts: readonly {
    readonly partial: string;
    readonly argument: string;
    readonly filter: string | undefined;
    readonly state: StateTable;
    readonly fresh: Sql;
  }[];

  constructor(context: OperatorContext, node: AggregateNode, keys: readonly string[]) {
    this.context = context;
    this.account = node.id;
    this.keys = keys;
    this.counts = node.calls.flatMap((call) => {
      if (call.distinct === undefined) return [];
      const name = `${node.id}$values of ${call.name}`;
      const state = new StateTable(context.session, node.id, name);
      return [{ ...call.distinct, partial: `${call.name}_0`, state, fresh: deltaTable(name) }];
    });
  }

  get any(): boolean {
    return this.counts.length > 0;
  }

  get tables(): readonly string[] {
    return this.counts.map((count) => count.state.name.text);
  }

  /** `rows`: the input's rows with the group's columns. */
  async open(rows: Sql): Promise<void> {
    for (const count of this.counts) {
      const shape = sql`SELECT ${this.columns(count.argument)} FROM ${rows}`;
      await count.state.create(shape);
    }
  }

  /** Takes an epoch's rows in; a relation for each count of how many values are new, by group. */
  async take(rows: Sql): Promise<readonly Sql[]> {
    const added: Sql[] = [];
    for (const count of this.counts) {
      const value = ident(count.argument);
      const filter = count.filter === undefined ? sql`` : sql` AND ${ident(count.filter)}`;
      const seen = sql`SELECT DISTINCT ${this.columns(count.argument)} FROM ${rows} WHERE ${value} IS NOT NULL${filter}`;
      const same = sql`${sameKey('p', 's', this.keys)} AND p.${value} = s.${value}`;
      await this.context.session.run(
        this.account,
        sql`CREATE OR REPLACE TABLE ${count.fresh} AS SELECT p.* FROM (${seen}) AS p ANTI JOIN ${count.state.name} AS s ON ${same}`,
      );
      await count.state.append(sql`SELECT * FROM ${count.fresh}`);
      const keys = this.keys.map((name) => ident(name));
      const grouped = keys.length === 0 ? sql`` : sql` GROUP BY ${join(keys)}`;
      added.push(
        sql`SELECT ${join([...keys, sql`count(*) AS ${ident(count.partial)}`])} FROM ${count.fresh}${grouped}`,
      );
    }
    return added;
  }

  get states(): readonly StateTable[] {
    return this.counts.map((count) => count.state);
  }

  async evict(condition: Sql): Promise<void> {
    for (const count of this.counts) await count.state.evict(condition);
  }

  private columns(argument: string): Sql {
    const names = [...this.keys, argument].map((name) => ident(name));
    return names.length === 0 ? raw('1') : join(names);
  }
}
