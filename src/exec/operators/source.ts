import { HIDDEN } from '../../base/schema.ts';
import { ident, join, raw, sql, timestamp, type Sql } from '../../base/sql.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { SourceNode } from '../../planner/plan-sources.ts';
import type { Decoded } from '../decode/plan.ts';
import { deltaTable, LATENESS, type Explanation, type Operator, type OperatorContext } from './operator.ts';

/** What the runtime tells a source of an epoch: its decoded rows and where its watermark is after them. */
export interface Ingest {
  /** The table that holds the rows. */
  readonly table: Sql;
  readonly decoded: Decoded;
  /** Of each partition, before this epoch: its own running watermark, microseconds. */
  readonly watermarksBefore: ReadonlyMap<number, bigint>;
  readonly watermarkAfter: bigint | undefined;
}

/** A test of rows that go by: of a stretch of rows whose least event time is `min`, is any possibly late at `watermark`? */
export type LatenessCheck = (min: bigint, watermark: bigint) => boolean;

/**
 * source: the epoch's records, decoded. Δout = the records of the epoch's ranges. Keeps nothing; what it must remember
 * (positions, running watermarks) is the runtime's.
 *
 * `$wm` of a row is the running watermark of its own partition just before it. It is worked out only in epochs in which
 * some row may be late: for each stretch of 2,048 rows the least event time is held against the watermark at its end.
 */
export class SourceOperator implements Operator {
  readonly node: SourceNode;
  private readonly context: OperatorContext;
  private readonly checks: LatenessCheck[] = [];
  private table: Sql;
  private rows = 0;
  private late = false;
  private watermarkNow: bigint | undefined;
  private clockNow: bigint | undefined;

  constructor(context: OperatorContext, node: SourceNode) {
    this.context = context;
    this.node = node;
    this.table = deltaTable(node.id);
  }

  /** Downstream operators that refuse late rows say here what would be late for them. */
  addCheck(check: LatenessCheck): void {
    this.checks.push(check);
  }

  async open(): Promise<void> {
    const columns = [
      ...this.node.physical,
      ...(this.node.placed ?? []),
      ...this.node.computed,
      ...this.node.proctime.map((name) => ({ name, type: 'TIMESTAMP' })),
    ];
    const definitions = columns.map((column) => sql`${ident(column.name)} ${raw(column.type)}`);
    if (this.node.demand.identity)
      definitions.push(sql`${ident(HIDDEN.partition)} INTEGER`, sql`${ident(HIDDEN.offset)} BIGINT`);
    await this.context.session.run(
      this.node.id,
      sql`CREATE OR REPLACE TABLE ${deltaTable(this.node.id)} (${join(definitions)})`,
    );
  }

  /** Takes the epoch's rows; undefined where nothing came. Called before the operators step. */
  async ingest(batch: Ingest | undefined, watermarkAfter: bigint | undefined, clock: bigint): Promise<void> {
    this.rows = batch?.decoded.rows ?? 0;
    this.watermarkNow = watermarkAfter;
    this.clockNow = clock;
    this.late = false;
    if (batch === undefined) return;
    this.table = batch.table;
    this.late = this.node.demand.watermark && this.suspicious(batch);
    if (this.late) await this.context.session.run(this.node.id, this.lateTable(batch));
  }

  step(): Promise<void> {
    return Promise.resolve();
  }

  private suspicious(batch: Ingest): boolean {
    const delay = this.node.eventTime?.delay ?? 0n;
    const running = new Map(batch.watermarksBefore);
    for (const stretch of batch.decoded.times) {
      const before = running.get(stretch.partition);
      const reached = stretch.max - delay;
      const watermark = before === undefined || reached > before ? reached : before;
      running.set(stretch.partition, watermark);
      if (this.checks.some((check) => check(stretch.min, watermark))) return true;
    }
    return false;
  }

  private lateTable(batch: Ingest): Sql {
    const event = this.node.eventTime;
    if (event === undefined) return sql`SELECT 1`;
    const column = ident(event.column);
    const delay = sql`to_microseconds(${event.delay}::BIGINT)`;
    const parts = batch.decoded.segments.map((segment) => {
      const before = batch.watermarksBefore.get(segment.partition);
      const known = before === undefined ? raw('NULL') : timestamp(before, event.zoned);
      return sql`(${segment.partition}::INTEGER, ${segment.firstRow}::BIGINT, ${segment.firstOffset}::BIGINT, ${segment.rows}::BIGINT, ${known})`;
    });
    const own = this.node.demand.identity ? raw('* EXCLUDE ("$p", "$o")') : raw('*');
    return sql`CREATE OR REPLACE TABLE ${this.lateName} AS
      SELECT t.${own}, ${this.node.name} AS ${ident(LATENESS.source)}, s.p AS ${ident(LATENESS.partition)},
        s.o + t.rowid - s.r AS ${ident(LATENESS.offset)},
        greatest(s.w, max(t.${column}) OVER (PARTITION BY s.p ORDER BY t.rowid ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - ${delay}) AS ${ident(LATENESS.watermark)}
      FROM ${this.table} t JOIN (VALUES ${join(parts)}) s(p, r, o, n, w) ON t.rowid >= s.r AND t.rowid < s.r + s.n`;
  }

  private get lateName(): Sql {
    return deltaTable(`${this.node.id}$late`);
  }

  delta(withLateness: boolean): Sql {
    if (this.rows === 0) return this.shape(deltaTable(this.node.id), withLateness);
    return this.shape(withLateness && this.late ? this.lateName : this.table, withLateness);
  }

  /** The node's columns in their order, then the hidden ones. */
  private shape(table: Sql, withLateness: boolean): Sql {
    const columns = this.node.columns.map((column) => ident(column.name));
    const hidden: Sql[] = [];
    const carried = withLateness && this.late;
    if (carried) hidden.push(...Object.values(LATENESS).map((name) => ident(name)));
    else if (this.node.demand.identity) hidden.push(ident(HIDDEN.partition), ident(HIDDEN.offset));
    if (withLateness && !carried) {
      hidden.push(sql`${this.node.name} AS ${ident(LATENESS.source)}`);
      if (!this.node.demand.identity)
        hidden.push(sql`NULL::INTEGER AS ${ident(LATENESS.partition)}`, sql`NULL::BIGINT AS ${ident(LATENESS.offset)}`);
      hidden.push(sql`NULL::TIMESTAMP AS ${ident(LATENESS.watermark)}`);
    }
    return sql`(SELECT ${join([...columns, ...hidden])} FROM ${table})`;
  }

  /** The table that a late row's payload is read from. */
  get lateRows(): Sql {
    return this.lateName;
  }

  hasRows(): boolean {
    return this.rows > 0;
  }

  watermark(clock: Clock): bigint | undefined {
    return clock === 'event' ? this.watermarkNow : this.clockNow;
  }

  mayBeLate(): boolean {
    return this.late;
  }

  explain(): Explanation {
    const event = this.node.eventTime;
    const watermark =
      event === undefined ? 'no watermark' : `watermark ${event.of ?? event.column} - ${event.delay / 1000n} ms`;
    return {
      title: `source ${this.node.name} (${this.node.connector}), ${watermark}`,
      law: 'Δout = the records of the epoch',
      state: 'none',
      bound: 'keeps nothing',
      sql: [],
    };
  }
}
