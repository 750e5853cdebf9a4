import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { ChangelogNode } from '../../planner/plan-sources.ts';
import { tellingApart } from '../same-row.ts';
import { StateTable } from '../state.ts';
import { deltaTable, type Explanation, type Operator, type OperatorContext } from './operator.ts';

/** Of an epoch's last changes: whether it puts a row. */
const PUT = '$put';
/** Of two changes of one record the later: a row whose key changes goes before it comes. */
const STEP = '$step';
/** Of a kept row: the last change of its key puts the very same. */
const SAME = '$same';

/**
 * changelog by key: of each key the row of its last change, if that put one.
 * With L = the last change of each key that the epoch touched, by (partition, offset): Δout = +(rows of L) −(kept rows of
 * L's keys), less what stays the same. An end of a key that has no row changes nothing.
 *
 * State: the row of each key. It grows with the keys, and shrinks only as they end.
 */
export class KeyedChangelogOperator implements Operator {
  readonly node: ChangelogNode;
  private readonly context: OperatorContext;
  private readonly state: StateTable;
  private produced = false;

  constructor(context: OperatorContext, node: ChangelogNode) {
    this.context = context;
    this.node = node;
    this.state = new StateTable(context.session, node.id, node.id);
  }

  async open(): Promise<void> {
    await this.run(this.last());
    await this.state.create(sql`SELECT ${this.columns()} FROM ${this.lastTable}`);
    await this.run(this.old());
    await this.run(this.changes());
  }

  async step(): Promise<void> {
    this.produced = false;
    if (!this.input.hasRows()) return;
    if ((await this.run(this.last())) === 0) return;
    const found = await this.run(this.old());
    this.produced = (await this.run(this.changes())) > 0;
    if (!this.produced) return;
    if (found > 0) {
      const keys = this.node.key.map(({ name }) => name);
      const names = join(keys.map((name) => ident(name)));
      await this.state.remove(sql`(SELECT ${names} FROM ${this.oldTable} WHERE NOT ${ident(SAME)})`, keys);
    }
    await this.state.append(sql`SELECT ${this.columns()} FROM ${this.lastTable} AS l WHERE ${this.comes()}`);
  }

  get tables(): readonly StateTable[] {
    return [this.state];
  }

  private get input(): Operator {
    return this.context.operator(this.node.input);
  }

  private get lastTable(): Sql {
    return deltaTable(`${this.node.id}$last`);
  }

  private get oldTable(): Sql {
    return deltaTable(`${this.node.id}$old`);
  }

  /** The columns that a row is kept with: the node's, and a key that is none of them. */
  private get kept(): readonly string[] {
    return this.node.put.values.map(({ name }) => name);
  }

  private columns(): Sql {
    return join(this.kept.map((name) => ident(name)));
  }

  private sameKey(one: Sql, other: Sql): Sql {
    return join(
      this.node.key.map(({ name }) => sql`${one}.${ident(name)} = ${other}.${ident(name)}`),
      ' AND ',
    );
  }

  /** The last change of each key. */
  private last(): Sql {
    const { put, end, input } = this.node;
    const from = sql`${this.input.delta(false)} AS ${ident(input.name)}`;
    const place = [HIDDEN.partition, HIDDEN.offset].map((name) => sql`${ident(input.name, name)} AS ${ident(name)}`);
    const value = (sqlText: string, name: string): Sql => sql`${raw(sqlText)} AS ${ident(name)}`;
    const puts = put.values.map(({ name, sql: text }) => value(text, name));
    const ends = put.values.map(({ name }) =>
      value(end.values.find((candidate) => candidate.name === name)?.sql ?? 'NULL', name),
    );
    const keys = join(this.node.key.map(({ name }) => ident(name)));
    const order = join([HIDDEN.partition, HIDDEN.offset, STEP].map((name) => sql`${ident(name)} DESC`));
    return sql`CREATE OR REPLACE TABLE ${this.lastTable} AS
      SELECT ${this.columns()}, ${ident(PUT)} FROM (
        SELECT ${join([...puts, ...place])}, true AS ${ident(PUT)}, 1 AS ${ident(STEP)} FROM ${from} WHERE ${raw(put.when)}
        UNION ALL
        SELECT ${join([...ends, ...place])}, false, 0 FROM ${from} WHERE ${raw(end.when)})
      QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${order}) = 1`;
  }

  /** What is kept of the keys that were touched; `$same` where the last change says the same again. */
  private old(): Sql {
    const { columns } = this.node;
    const [kept, last] = [tellingApart(columns, 's'), tellingApart(columns, 'l')];
    const same = [
      ...columns.map(({ name }) => sql`${ident('s', name)} IS NOT DISTINCT FROM ${ident('l', name)}`),
      ...kept.map((text, i) => sql`${text} IS NOT DISTINCT FROM ${last[i] ?? raw('NULL')}`),
    ];
    return sql`CREATE OR REPLACE TABLE ${this.oldTable} AS
      SELECT ${join(this.kept.map((name) => ident('s', name)))}, ${ident('l', PUT)} AND ${join(same, ' AND ')} AS ${ident(SAME)}
      FROM ${this.state.name} AS s JOIN ${this.lastTable} AS l ON ${this.sameKey(raw('l'), raw('s'))}`;
  }

  /** Whether a last change `l` brings a row that was not there. */
  private comes(): Sql {
    return sql`${ident(PUT)} AND NOT EXISTS (
      SELECT 1 FROM ${this.oldTable} AS o WHERE ${ident(SAME)} AND ${this.sameKey(raw('o'), raw('l'))})`;
  }

  private changes(): Sql {
    const names = join(this.node.columns.map(({ name }) => ident(name)));
    const weight = (by: number): Sql => sql`CAST(${by} AS BIGINT) AS ${ident(HIDDEN.weight)}`;
    return sql`CREATE OR REPLACE TABLE ${deltaTable(this.node.id)} AS
      SELECT ${names}, ${weight(-1)} FROM ${this.oldTable} WHERE NOT ${ident(SAME)}
      UNION ALL
      SELECT ${names}, ${weight(1)} FROM ${this.lastTable} AS l WHERE ${this.comes()}`;
  }

  private run(statement: Sql): Promise<number> {
    return this.context.session.run(this.node.id, statement);
  }

  delta(): Sql {
    return deltaTable(this.node.id);
  }

  hasRows(): boolean {
    return this.produced;
  }

  watermark(clock: Clock): bigint | undefined {
    return this.input.watermark(clock);
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const keys = this.node.key.map(({ name }) => name).join(', ');
    return {
      title: `changelog ${this.node.format} by ${keys}`,
      law: 'Δout = +last change of each touched key −what was kept of it',
      state: 'the row of each key',
      bound: 'UNBOUNDED: by the number of keys',
      sql: [this.last().text, this.old().text, this.changes().text],
    };
  }
}
