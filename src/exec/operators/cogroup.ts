import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, spliced, sql, timestamp, type Sql } from '../../base/sql.ts';
import type { CogroupNode } from '../../planner/plan-cogroup.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import { fields, instantMemo, instantOf, items } from '../checkpoint/memo.ts';
import { watchForLateRows } from '../late.ts';
import { StateTable } from '../state.ts';
import { consolidated, sameKey } from '../weights.ts';
import { KeptSide } from './kept-side.ts';
import {
  deltaTable,
  END_OF_TIME,
  least,
  type EpochClock,
  type Explanation,
  type Operator,
  type OperatorContext,
} from './operator.ts';

/**
 * cogroup: any SELECT over inputs that are kept by key.
 *
 * - CHANGES: Δout = body(A′, B′, … of the touched keys) − what was kept of them. Without keys everything is touched.
 * - ON WINDOW CLOSE: Δout = body(A, B, … of the keys that the watermark completed).
 *
 * State: each input as a multiset; and, with CHANGES, the last output, from which retractions are made: computed again
 * it might differ where rows tie or doubles are added in another order. Where the key holds a window's column, all of it
 * goes when the watermark has completed it.
 */
export class CogroupOperator implements Operator {
  readonly node: CogroupNode;
  private readonly context: OperatorContext;
  private readonly sides: readonly KeptSide[];
  /** The last output. */
  private readonly kept: StateTable;
  private produced = false;
  private first = true;
  private closedUpTo: bigint | undefined;

  constructor(context: OperatorContext, node: CogroupNode) {
    this.context = context;
    this.node = node;
    this.kept = new StateTable(context.session, node.id, `${node.id}$out`);
    this.sides = node.inputs.map((input, i) => {
      const keys = node.keys.map((column, k) => ({ column, sql: input.keys[k] ?? 'NULL' }));
      return new KeptSide(context, node.id, input, `in${i}`, keys);
    });
  }

  private get onClose(): boolean {
    return this.node.emit === 'on-window-close';
  }

  private get keyed(): boolean {
    return this.node.keys.length > 0;
  }

  private get output(): Sql {
    return deltaTable(this.node.id);
  }

  get tables(): readonly StateTable[] {
    return [...this.sides.map((side) => side.state), ...(this.onClose ? [] : [this.kept])];
  }

  save(): Memo {
    return {
      first: this.first,
      closedUpTo: instantMemo(this.closedUpTo),
      sides: this.sides.map((side) => side.save()),
    };
  }

  load(memo: Memo): void {
    const saved = fields(memo);
    this.first = saved['first'] === true;
    this.closedUpTo = instantOf(saved['closedUpTo']);
    this.sides.forEach((side, i) => side.load(items(saved['sides'])[i]));
  }

  private get touched(): Sql {
    return deltaTable(`${this.node.id}$touched`);
  }

  private get fresh(): Sql {
    return deltaTable(`${this.node.id}$new`);
  }

  private get keyNames(): readonly string[] {
    return this.node.keys.map((key) => key.name);
  }

  private run(statement: Sql): Promise<number> {
    return this.context.session.run(this.node.id, statement);
  }

  async open(): Promise<void> {
    for (const side of this.sides) {
      if (this.node.close?.clock === 'event') watchForLateRows(this.context, side.input.node);
      await side.open();
    }
    const shape = this.body(raw('LIMIT 0'));
    await this.run(sql`CREATE OR REPLACE TABLE ${this.fresh} AS SELECT * FROM (${shape}) LIMIT 0`);
    await this.kept.create(sql`SELECT * FROM ${this.fresh}`);
    await this.run(
      sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.onClose ? this.closed() : this.difference(this.kept.name)}`,
    );
  }

  async step(_epoch: EpochClock): Promise<void> {
    const before = this.produced;
    this.produced = false;
    for (const side of this.sides) await this.accept(side);
    const any = this.sides.some((side) => side.rows);
    if (any && !this.onClose && this.keyed) await this.touch();
    if (this.node.matters !== undefined) {
      if (any) await this.keepWhatMatters(this.node.matters);
    } else for (const side of this.sides) await side.append();
    if (!this.onClose && (any || (this.first && !this.keyed))) await this.recompute();
    this.first = false;
    await this.advance();
    if (before && !this.produced) await this.run(sql`TRUNCATE ${this.output}`);
  }

  private async accept(side: KeptSide): Promise<void> {
    const { close } = this.node;
    if (close?.clock !== 'event') return side.accept(side.operator.delta(false), undefined);
    const at = this.node.inputs[this.sides.indexOf(side)]?.keys[this.keyNames.indexOf(close.column)] ?? 'NULL';
    return side.acceptInTime(this.node, raw(at), close.after);
  }

  private async touch(): Promise<void> {
    const keys = join(this.keyNames.map((name) => ident(name)));
    const parts = this.sides.filter((side) => side.rows).map((side) => sql`SELECT ${keys} FROM ${side.delta}`);
    await this.run(
      sql`CREATE OR REPLACE TABLE ${this.touched} AS SELECT DISTINCT ${keys} FROM (${join(parts, ' UNION ALL ')})`,
    );
  }

  /** Of the touched keys' rows, old and new, only those that can still matter are kept. */
  private async keepWhatMatters(matters: string): Promise<void> {
    const [side] = this.sides;
    if (side === undefined) return;
    const rows = sql`(${side.multiset(this.semi('s'))} UNION ALL SELECT * FROM ${side.delta})`;
    await this.run(
      sql`CREATE OR REPLACE TABLE ${this.pruned} AS ${raw(spliced(matters, side.input.placeholder, rows.text))}`,
    );
    await side.state.remove(this.touched, this.keyNames);
    await side.state.append(sql`SELECT * FROM ${this.pruned}`);
  }

  private get pruned(): Sql {
    return deltaTable(`${this.node.id}$matters`);
  }

  /** Rows, of an alias, that belong to the touched keys. */
  private semi(alias: string): Sql {
    return this.keyed ? sql`SEMI JOIN ${this.touched} AS t ON ${sameKey(alias, 't', this.keyNames)}` : sql``;
  }

  private async recompute(): Promise<void> {
    await this.run(sql`CREATE OR REPLACE TABLE ${this.fresh} AS ${this.body(this.semi('s'))}`);
    const before = this.keyed && this.kept.rows > 0 ? await this.takeOld() : 0;
    const delta = !this.keyed ? this.difference(this.kept.name) : before > 0 ? this.partialDifference() : this.added();
    const changed = await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS ${delta}`);
    this.produced = changed > 0;
    if (!this.keyed) {
      if (changed > 0) await this.kept.replace(sql`SELECT * FROM ${this.fresh}`);
      return;
    }
    // Also where nothing changed of what is shown: a row may have gone from one key to another.
    if (before > 0) await this.kept.remove(this.touched, this.keyNames);
    await this.kept.append(sql`SELECT * FROM ${this.fresh}`);
  }

  private get old(): Sql {
    return deltaTable(`${this.node.id}$old`);
  }

  /** What was kept of the touched keys. */
  private takeOld(): Promise<number> {
    return this.run(
      sql`CREATE OR REPLACE TABLE ${this.old} AS SELECT s.* FROM ${this.kept.name} AS s ${this.semi('s')}`,
    );
  }

  private get names(): Sql {
    return join(this.node.columns.map((column) => ident(column.name)));
  }

  /** What is new less what was kept. */
  private difference(old: Sql, fresh: Sql = this.fresh): Sql {
    const weight = ident(HIDDEN.weight);
    return consolidated(
      sql`(SELECT ${this.names}, 1 AS ${weight} FROM ${fresh} UNION ALL SELECT ${this.names}, -1 FROM ${old})`,
      this.node.columns,
    );
  }

  /** Rows of a key of which nothing was kept are new as they are: they need not be compared. */
  private partialDifference(): Sql {
    const same = sameKey('f', 'o', this.keyNames);
    const known = sql`(SELECT f.* FROM ${this.fresh} AS f SEMI JOIN ${this.old} AS o ON ${same})`;
    const unknown = sql`${this.fresh} AS f ANTI JOIN ${this.old} AS o ON ${same}`;
    return sql`${this.difference(this.old, known)} UNION ALL SELECT ${this.names}, CAST(1 AS BIGINT) FROM ${unknown}`;
  }

  private added(): Sql {
    return sql`SELECT ${this.names}, CAST(1 AS BIGINT) AS ${ident(HIDDEN.weight)} FROM ${this.fresh}`;
  }

  private closed(): Sql {
    return sql`SELECT ${join(this.node.columns.map((column) => ident(column.name)))} FROM ${this.fresh}`;
  }

  private body(restriction: Sql): Sql {
    let text = this.node.body;
    for (const side of this.sides)
      text = spliced(text, side.input.placeholder, sql`(${side.multiset(restriction)})`.text);
    return raw(text);
  }

  /** Gives out and drops the keys that the watermark has completed. */
  private async advance(): Promise<void> {
    const { close } = this.node;
    const watermark = close === undefined ? undefined : this.watermarkOf(close.clock);
    if (close === undefined || watermark === undefined) return;
    const limit = watermark - close.after;
    if (this.closedUpTo !== undefined && limit <= this.closedUpTo) return;
    this.closedUpTo = limit;
    if (this.sides.every((side) => side.state.rows === 0)) return;
    const end = watermark >= END_OF_TIME;
    const complete = end ? raw('true') : this.complete(limit);
    if (this.onClose) {
      const rows = await this.run(sql`CREATE OR REPLACE TABLE ${this.fresh} AS ${this.body(sql`WHERE ${complete}`)}`);
      if (rows > 0) await this.run(sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.closed()}`);
      this.produced = rows > 0;
    } else await this.kept.evict(complete);
    for (const side of this.sides) await side.state.evict(complete);
  }

  private complete(limit: bigint): Sql {
    const column = this.node.close?.column ?? '';
    const type = this.node.keys.find((key) => key.name === column)?.type;
    return sql`${ident(column)} <= ${timestamp(limit, type !== 'TIMESTAMP')}`;
  }

  private watermarkOf(clock: Clock): bigint | undefined {
    return this.sides.map((side) => side.operator.watermark(clock)).reduce((low, next) => least(low, next));
  }

  delta(): Sql {
    return this.output;
  }

  hasRows(): boolean {
    return this.produced;
  }

  watermark(clock: Clock): bigint | undefined {
    return this.onClose ? this.watermarkOf(clock) : undefined;
  }

  mayBeLate(): boolean {
    return false;
  }

  explain(): Explanation {
    const keys = this.keyNames.map((_, k) => this.keyText(k));
    const tables = this.sides.map((side) => side.state.name.text).join(', ');
    const rows = this.node.matters === undefined ? "the inputs' rows" : 'the rows that can still be among the first';
    const restriction = this.onClose ? sql`WHERE ${this.complete(0n)}` : this.semi('s');
    const statements = [sql`CREATE OR REPLACE TABLE ${this.fresh} AS ${this.body(restriction)}`];
    if (!this.onClose)
      statements.push(
        sql`CREATE OR REPLACE TABLE ${this.output} AS ${this.keyed ? this.partialDifference() : this.difference(this.kept.name)}`,
      );
    return {
      title: `${this.node.title}, ${this.keyed ? `by ${keys.join(', ')}` : 'without a key: whatever an epoch brings, all of it is answered anew'}`,
      law: this.onClose
        ? 'Δout = the answer for the keys that the watermark completed'
        : `Δout = the answer for ${this.keyed ? 'the touched keys' : 'everything'} − what was kept of it`,
      state: `${tables}: ${rows}${this.onClose ? '' : `; ${this.kept.name.text}: the last output`}`,
      bound: this.boundText(),
      sql: statements.map((statement) => statement.text),
    };
  }

  /** A key as the user knows it: what the projection below calls by a name of ours is spelled out. */
  private keyText(k: number): string {
    const [input] = this.node.inputs;
    const key = input?.keys[k] ?? '';
    const below = input?.node.kind === 'select' ? input.node.projection : [];
    return below.find((item) => ident(item.name).text === key)?.sql ?? key;
  }

  private boundText(): string {
    const { close, matters } = this.node;
    if (close !== undefined) {
      const key = this.keyText(this.keyNames.indexOf(close.column));
      return `the watermark: a key goes when it has passed ${key}${close.after < 1000n ? '' : ` by ${close.after / 1000n} ms`}`;
    }
    if (matters === undefined)
      return this.keyed
        ? "UNBOUNDED: the inputs' rows stay, for no window is part of the key"
        : "UNBOUNDED: the inputs' rows stay";
    return this.keyed ? 'UNBOUNDED: the first rows of each key stay' : 'the first rows alone stay';
  }
}
