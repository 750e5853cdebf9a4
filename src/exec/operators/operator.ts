import { ident, sql, timestamp, type Sql } from '../../base/sql.ts';
import { lateSources } from '../../planner/demand.ts';
import type { Clock } from '../../planner/plan-columns.ts';
import type { PlanNode } from '../../planner/plan.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import type { Session } from '../session.ts';
import type { StateTable } from '../state.ts';

/** The watermark after the last record of all: everything closes. Microseconds, far beyond any TIMESTAMP. */
export const END_OF_TIME = 2n ** 62n;

/**
 * A DStream operator: what it depends on (`inputs`), what it keeps (state tables that it alone writes), what it
 * computes (`step`, one epoch).
 *
 * The caller opens operators in the order of the plan, then for each epoch steps them in that order: when an operator
 * steps, its inputs have stepped, and their deltas stay as they are until the epoch is committed.
 */
export interface Operator {
  readonly node: PlanNode;
  /** Creates state and delta tables, empty. */
  open(): Promise<void>;
  /** Consumes the inputs' deltas, then advances to their watermarks: closes, evicts. */
  step(epoch: EpochClock): Promise<void>;
  /**
   * The relation of this epoch's delta: the node's columns in their order, then hidden ones: the weight, `$n`, where the
   * node is not append-only. In an epoch in which rows
   * may be late, and if `withLateness`, each row carries LATENESS columns too.
   */
  delta(withLateness: boolean): Sql;
  /** False only if the delta is certainly empty. */
  hasRows(): boolean;
  /** Any row yet to come has `value + after > watermark` in each time attribute; undefined: no promise yet. */
  watermark(clock: Clock): bigint | undefined;
  /** Whether some row of this epoch's delta may be late. */
  mayBeLate(): boolean;
  /** The engine's clock from which on a step changes something though nothing comes; undefined: never, as it stands. */
  due?(): bigint | undefined;
  explain(): Explanation;
  /** What it keeps between epochs: tables, and a value beside them. What it is given back, it goes on from. */
  readonly tables?: readonly StateTable[];
  save?(): Memo;
  /** After `open`, when the tables are filled. */
  load?(memo: Memo): void;
}

export interface EpochClock {
  readonly number: number;
  /** The engine's clock, logged with the epoch; microseconds. END_OF_TIME in the last epoch of a bounded run. */
  readonly clock: bigint;
  /** The same, but in the last epoch what the clock really was. */
  readonly stamped: bigint;
  /** No epoch comes after it: what was held back for a time to come goes out. */
  readonly last: boolean;
}

/** What EXPLAIN shows of an operator. */
export interface Explanation {
  /** `groupBy-reduce` … the DStream's name, with what tells it from others. */
  readonly title: string;
  /** The delta equation. */
  readonly law: string;
  readonly state: string;
  /** What bounds the state; undefined where there is none. */
  readonly bound: string | undefined;
  /** The statements of a step, with the node's tables in place. */
  readonly sql: readonly string[];
}

/** What a row carries where it may be late: where it came from, and its own partition's watermark just before it. */
export const LATENESS = { source: '$src', partition: '$p', offset: '$o', watermark: '$wm' } as const;

/** What operators share: a connection whose statements are counted, and the operators before them. */
export interface OperatorContext {
  readonly session: Session;
  operator(node: PlanNode): Operator;
  /** Whether more than one operator or result reads a node: its delta is then a table for the epoch. */
  isShared(node: PlanNode): boolean;
  /** Whether an operator or a sink reads a node; a view alone does not. */
  isRead(node: PlanNode): boolean;
  /** The names of the views that a node leads to: late rows are counted by them. */
  viewsOf(node: PlanNode): readonly string[];
}

export const deltaTable = (name: string): Sql => ident('delta', name);

/** Whether a source that comes through a node as it is has rows that may be late in this epoch. */
export function anyLate(context: OperatorContext, node: PlanNode): boolean {
  return lateSources(node).some((source) => context.operator(source).mayBeLate());
}

/** Whether a time has been passed, at the end of time any. */
export const passedBy = (time: Sql, limit: bigint, type: string | undefined): Sql =>
  limit >= END_OF_TIME / 2n ? sql`true` : sql`${time} <= ${timestamp(limit, type !== 'TIMESTAMP')}`;

/** The lesser of two watermarks; no promise is less than any. */
export function least(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a < b ? a : b;
}
