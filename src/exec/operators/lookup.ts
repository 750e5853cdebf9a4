import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { LookupNode } from '../../planner/plan-joins.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import type { StateTable } from '../state.ts';
import { sameKey } from '../weights.ts';
import { KeptSide } from './kept-side.ts';
import {
  anyLate, deltaTable, LATENESS,
  type EpochClock, type Explanation, type Operator, type OperatorContext,
} from './operator.ts'; // prettier-ignore

/**
 * lookup join: SELECT … FROM L [LEFT] JOIN R ON on, at processing time.
 *
 * Δout = ΔL ⋈ R′, and what was given stays given, whatever becomes of R. So the answer depends on the epoch in which a row
 * came: the one exception to the laws that stream equals batch and that slicing does not matter.
 *
 * State: the rows of R. Nothing is kept of L, and late rows go by for the operators after it to judge.
 */
export class LookupOperator implements Operator {
  readonly node: LookupNode;
  private readonly context: OperatorContext;
  private readonly left: Operator;
  private readonly right: KeptSide;
  private produced = false;

  constructor(context: OperatorContext, node: LookupNode) {
    this.context = context;
    this.node = node;
    this.left = context.operator(node.left);
    const extra = this.keys.map((name, i) => ({
      column: { name, type: node.keys[i]?.type ?? '' },
      sql: node.right.keys[i] ?? 'NULL',
    }));
    this.right = new KeptSide(context, node.id, node.right, 'r', extra);
  }

  get tables(): readonly StateTable[] {
    return [this.right.state];
  }

  save(): Memo {
    return this.right.save();
  }

  load(memo: Memo): void {
    this.right.load(memo);
  }

  private get keys(): readonly string[] {
    return this.node.keys.map((_, i) => `$k${i}`);
  }

  private get output(): Sql {
    return deltaTable(this.node.id);
  }

  private run(statement: Sql): Promise<number> {
    return this.context.session.run(this.node.id, statement);
  }

  async open(): Promise<void> {
    await this.right.open();
    await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS SELECT * FROM (${this.found(false)}) LIMIT 0`);
  }

  async step(_epoch: EpochClock): Promise<void> {
    const before = this.produced;
    await this.right.accept(this.right.operator.delta(false), undefined);
    await this.right.append();
    this.produced =
      this.left.hasRows() &&
      (await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.found(this.mayBeLate())}`)) > 0;
    if (before && !this.produced) await this.run(sql`TRUNCATE ${this.output}`);
  }

  private found(late: boolean): Sql {
    const outputs = this.node.outputs.map((output) => sql`${raw(output.sql)} AS ${ident(output.name)}`);
    if (late) outputs.push(...Object.values(LATENESS).map((name) => ident('$l', name)));
    const rows = this.left.delta(late);
    const join_ = raw(this.node.outer ? 'LEFT' : 'INNER');
    return sql`SELECT ${join(outputs)} FROM ${rows} AS "$l" ${join_} JOIN (${this.right.multiset(this.asked(rows))}) AS "$r" ON (${raw(this.node.on)})`;
  }

  /** Of the right side the rows of the keys that are looked up. */
  private asked(rows: Sql): Sql {
    if (this.keys.length === 0) return sql``;
    const keys = this.keys.map((name, i) => sql`${raw(this.node.leftKeys[i] ?? 'NULL')} AS ${ident(name)}`);
    return sql`SEMI JOIN (SELECT DISTINCT ${join(keys)} FROM ${rows}) AS t ON ${sameKey('s', 't', this.keys)}`;
  }

  delta(): Sql {
    return this.output;
  }

  hasRows(): boolean {
    return this.produced;
  }

  watermark(clock: Clock): bigint | undefined {
    return this.left.watermark(clock);
  }

  mayBeLate(): boolean {
    return this.node.demand.watermark && anyLate(this.context, this.node);
  }

  explain(): Explanation {
    return {
      title: `${this.node.outer ? 'left ' : ''}lookup join at processing time on ${this.node.on}`,
      law: 'Δout = ΔL ⋈ R′, never revised: depends on the epoch in which a row comes (the exception to stream = batch)',
      state: `${this.right.state.name.text}: the rows of the right side`,
      bound: 'what the right side holds; nothing of the left',
      sql: [sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.found(false)}`.text],
    };
  }
}
