import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { RetentionNode } from '../../planner/plan-holding.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields, instantMemo, instantOf } from '../checkpoint/memo.ts';
import { HeldRows } from './held-rows.ts';
import { HoldingOperator } from './holding.ts';
import { deltaTable, END_OF_TIME, type EpochClock, type Explanation, type OperatorContext } from './operator.ts';

const SINCE = ident('$since');
const UNTIL = ident('$until');
const BOUND = 'BIGINT';

/**
 * retention: SELECT * FROM input WHERE conditions on now(). A row is there while $since <= clock < $until.
 *
 * Δout = the epoch's rows that are there at its clock + kept rows that came to be there since the last − those that no
 * longer are. State: the rows whose $until is yet to come; where nothing goes, those whose $since is.
 */
export class RetentionOperator extends HoldingOperator {
  readonly node: RetentionNode;
  protected readonly held: HeldRows;
  /** The epoch's rows. */
  private readonly fresh: Sql;
  /** The clock of the last epoch, and the first at which a kept row comes or goes; microseconds. */
  private clock: bigint | undefined;
  private next: bigint | undefined;

  constructor(context: OperatorContext, node: RetentionNode) {
    super();
    this.node = node;
    this.held = new HeldRows(context, node, [
      { name: '$since', type: BOUND },
      { name: '$until', type: BOUND },
    ]);
    this.fresh = deltaTable(`${node.id}$rows`);
  }

  private get goes(): boolean {
    return this.node.until.length > 0;
  }

  save(): Memo {
    return { clock: instantMemo(this.clock), next: instantMemo(this.next) };
  }

  load(memo: Memo): void {
    this.clock = instantOf(fields(memo)['clock']);
    this.next = instantOf(fields(memo)['next']);
  }

  open(): Promise<void> {
    return this.held.open(this.taken(0n), (state) => this.given(state, raw('true')));
  }

  async step(epoch: EpochClock): Promise<void> {
    const { held } = this;
    const clock = epoch.stamped;
    const before = this.clock ?? clock;
    this.clock = clock;
    const arrives = held.input.hasRows();
    if (arrives) await held.run(sql`CREATE OR REPLACE TABLE ${this.fresh} AS ${this.taken(clock)}`);
    const turns = this.next !== undefined && this.next <= clock;
    if (!arrives && !turns) return held.giveNothing();
    await held.give(
      join(
        [
          ...(arrives ? [this.given(this.fresh, sql`${SINCE} <= ${clock}`)] : []),
          ...(turns ? this.turning(before, clock) : []),
        ],
        ' UNION ALL ',
      ),
    );
    if (turns) {
      await held.state.evict(this.over(clock));
      this.next = await this.nextTurn(held.state.name, clock);
    }
    if (!arrives) return;
    const kept = this.goes ? raw('true') : sql`${SINCE} > ${clock}`;
    const added = await held.state.append(sql`SELECT * FROM ${this.fresh} WHERE ${kept}`);
    const first = added === 0 ? undefined : await this.nextTurn(this.fresh, clock);
    if (first !== undefined && (this.next === undefined || first < this.next)) this.next = first;
  }

  /** What came to be there, and what no longer is. */
  private turning(before: bigint, clock: bigint): readonly Sql[] {
    const { state } = this.held;
    const came = sql`${SINCE} > ${before} AND ${SINCE} <= ${clock} AND ${UNTIL} > ${clock}`;
    const went = sql`${SINCE} <= ${before} AND ${UNTIL} <= ${clock}`;
    return [
      ...(this.node.since.length > 0 ? [this.given(state.name, came)] : []),
      ...(this.goes ? [this.given(state.name, went, -1)] : []),
    ];
  }

  private over(clock: bigint): Sql {
    return this.goes ? sql`${UNTIL} <= ${clock}` : sql`${SINCE} <= ${clock}`;
  }

  private async nextTurn(rows: Sql, clock: bigint): Promise<bigint | undefined> {
    const turn = sql`CASE WHEN ${SINCE} > ${clock} THEN ${SINCE} ELSE ${UNTIL} END`;
    const [found] = await this.held.rows(sql`SELECT CAST(min(${turn}) AS VARCHAR) AS turn FROM ${rows}`);
    const turnAt = found?.['turn'];
    return typeof turnAt === 'string' ? BigInt(turnAt) : undefined;
  }

  /** The input's rows that are there at some time after `clock`, or at it, with the bounds of that time. */
  private taken(clock: bigint): Sql {
    const { node, held } = this;
    const bounds = [...node.since, ...node.until].map((bound, i) => sql`${raw(bound)} AS ${ident(`$b${i}`)}`);
    const names = bounds.map((_, i) => ident(`$b${i}`));
    const since = names.slice(0, node.since.length);
    const until = names.slice(node.since.length);
    const list = join(held.carried.map((name) => sql`${ident(node.alias)}.${name}`));
    const known = join(names.map((name) => sql`${name} IS NOT NULL`), ' AND '); // prettier-ignore
    const from = sql`SELECT ${list}, ${join(bounds)} FROM ${held.input.delta(false)} AS ${ident(node.alias)}`;
    const bounded = sql`SELECT ${held.list([
      sql`${since.length === 0 ? sql`CAST(${-END_OF_TIME} AS BIGINT)` : sql`greatest(${join(since)})`} AS ${SINCE}`,
      sql`${until.length === 0 ? sql`CAST(${END_OF_TIME * 2n - 1n} AS BIGINT)` : sql`least(${join(until)})`} AS ${UNTIL}`,
    ])} FROM (${from}) WHERE ${known}`;
    return sql`SELECT * FROM (${bounded}) WHERE ${UNTIL} > ${clock} AND ${UNTIL} > ${SINCE}`;
  }

  private given(rows: Sql, condition: Sql, sign = 1): Sql {
    const { held, node } = this;
    const weight = node.appendOnly ? [] : [sql`${sign} * ${held.weight} AS ${ident(HIDDEN.weight)}`];
    return sql`SELECT ${join([...held.visible, ...weight])} FROM ${rows} WHERE ${condition}`;
  }

  due(): bigint | undefined {
    return this.next;
  }

  explain(): Explanation {
    const { held, node } = this;
    return {
      title: `retention: ${node.text}`,
      law: `Δout = the rows that the clock let in${this.goes ? ' − those that it let go' : ''}`,
      state: `${held.state.name.text}: the rows ${this.goes ? 'until they go' : 'that are yet to come in'}`,
      bound: this.goes ? 'the clock: a row goes when its time is over' : 'the clock: a row goes when its time has come',
      sql: [
        sql`CREATE OR REPLACE TABLE ${this.fresh} AS ${this.taken(0n)}`,
        sql`CREATE OR REPLACE TABLE ${held.output} AS ${join([this.given(this.fresh, sql`${SINCE} <= ${0}`), ...this.turning(0n, 0n)], ' UNION ALL ')}`,
        sql`DELETE FROM ${held.state.name} WHERE ${this.over(0n)}`,
      ].map((statement) => statement.text),
    };
  }
}
