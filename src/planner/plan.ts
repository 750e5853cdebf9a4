import type { ChangeFormat, SinkPlan, SourcePlan } from '../base/connector.ts';
import type { Column } from '../base/schema.ts';

/**
 * The logical plan: a graph of nodes, each a stream of change sets. Expressions are SQL text that DuckDB printed and
 * bound; what varies from epoch to epoch (delta, old or new state of an input) is spliced in place of its `$inN` name.
 */
export type PlanNode =
  | SourceNode
  | ChangelogNode
  | TableNode
  | StaticNode
  | SelectNode
  | WindowNode
  | SessionNode
  | UnionNode
  | AggregateNode
  | CogroupNode
  | MatchNode
  | TemporalNode
  | LookupNode
  | HoldingNode;

/** Nodes that let the rows of one input through at another time than they came. */
export type HoldingNode = RetentionNode | CoalesceNode | GateNode;

/**
 * A column. `time` marks a time attribute: any row yet to come has `value + after > watermark` (microseconds), so a
 * group on it is complete, and a row of state can go, when the watermark has reached `value + after`.
 */
export interface PlanColumn extends Column {
  readonly time?: TimeAttribute | undefined;
  /** Of a node that changes rows: any change yet to come, of a row or back, has `value + after > watermark`. */
  readonly settles?: TimeAttribute | undefined;
}

export interface TimeAttribute {
  readonly after: bigint;
  /** Which watermark: that of the events, or the engine's clock (PROCTIME). */
  readonly clock: Clock;
  /** Columns of one window function call share it: they close together. */
  readonly window?: string | undefined;
}

export type Clock = 'event' | 'processing';

interface Common {
  /** Names its delta and state tables. */
  readonly id: string;
  readonly columns: readonly PlanColumn[];
  /** Rows are only ever inserted: the delta carries no weights. */
  readonly appendOnly: boolean;
  /** What later nodes and views need beside the columns; set while planning, fixed before the run. */
  readonly demand: Demand;
}

export interface Demand {
  /** Columns that tell a row from every other for good; in them lies the order of arrival. */
  identity: boolean;
  /** `$wm`, in epochs in which some row may be late. */
  watermark: boolean;
}

export interface SourceNode extends Common {
  readonly kind: 'source';
  readonly name: string;
  readonly connector: string;
  readonly plan: SourcePlan;
  readonly physical: readonly Column[];
  readonly computed: readonly ComputedColumn[];
  readonly proctime: readonly string[];
  /** The event time column and how far its watermark trails, microseconds. */
  readonly eventTime: EventTime | undefined;
  /**
   * Set where its records are changes, which a changelog node reads. `envelope`: the columns may stand in an object under
   * this key. `problem`: SQL over the physical columns for the reason why a record is no change, or NULL.
   */
  readonly changes: { readonly envelope: string | undefined; readonly problem: string } | undefined;
}

export interface ComputedColumn {
  readonly name: string;
  readonly expression: string;
  readonly type: string;
  /** As the user wrote it, where the expression is another. */
  readonly written?: string | undefined;
}

export interface EventTime {
  readonly column: string;
  /** The user's own column, where `column` is one made from it. */
  readonly of?: string | undefined;
  readonly delay: bigint;
  readonly zoned: boolean;
}

/**
 * The rows that a source's changes come to. Its columns have no time attributes: a row may go long after its time. The
 * source's watermark still says how far it is (`eventTime`).
 */
export interface ChangelogNode extends Common {
  readonly kind: 'changelog';
  readonly input: SourceNode;
  readonly format: ChangeFormat['format'];
  /** The columns that name a row: the PRIMARY KEY's, or `$key`, the record's own. Without any, rows are a multiset. */
  readonly key: readonly Column[];
  /** Over the columns of the input, named as its source: which records bring a row, and its key and columns. */
  readonly put: ChangeSide;
  /** Which records take a row away, and its key; without a key its columns. */
  readonly end: ChangeSide;
  readonly eventTime: EventTime | undefined;
}

export interface ChangeSide {
  readonly when: string;
  readonly values: readonly { readonly name: string; readonly sql: string }[];
}

/** A table that INSERT, UPDATE and DELETE change. */
export interface TableNode extends Common {
  readonly kind: 'table';
  readonly name: string;
  /** The columns of its PRIMARY KEY; none where it has none. */
  readonly key: readonly string[];
}

/** A table that does not change while the stream runs: a file, a constant. Read once, at the start. */
export interface StaticNode extends Common {
  readonly kind: 'static';
  readonly sql: string;
}

/** An input of a SELECT block: `placeholder` is its name in `from` and stands for whatever relation the step reads. */
export interface BlockInput {
  readonly placeholder: string;
  readonly alias: string;
  readonly node: PlanNode;
  /** The columns of it that the block reads. */
  readonly uses: readonly string[];
  /** Conditions of the WHERE that concern this input alone (over its bare columns), applied before it is kept. */
  readonly filter: string | undefined;
}

/**
 * FROM, WHERE and a projection. One streaming input: linear. Several: an inner join of k terms, each the user's own
 * FROM with one input replaced by its delta, the earlier ones by their new and the later by their old state.
 */
export interface SelectNode extends Common {
  readonly kind: 'select';
  readonly inputs: readonly BlockInput[];
  readonly from: string;
  readonly where: string | undefined;
  readonly projection: readonly { readonly name: string; readonly sql: string }[];
  readonly bounds: JoinBounds | undefined;
}

/** How far apart joined rows can be. Indexes are those of the streaming inputs in order. */
export interface JoinBounds {
  readonly clock: Clock;
  /** `after` of each time column. */
  readonly after: readonly bigint[];
  /** The time column of each input, in which the bounds are. */
  readonly columns: readonly string[];
  /** `reach[i][j]`: the most that the time of j can exceed that of i in a match, microseconds. */
  readonly reach: readonly (readonly bigint[])[];
}

/** TUMBLE, HOP or CUMULATE: each row once for each window that holds it, with window_start, window_end and window_time. */
export interface WindowNode extends Common {
  readonly kind: 'window';
  readonly input: PlanNode;
  readonly window: Window;
}

export interface Window {
  readonly shape: 'tumble' | 'hop' | 'cumulate';
  readonly column: string;
  readonly zoned: boolean;
  /**
   * Microseconds. Windows begin at `offset` + multiples of `slide` since 1970-01-01 UTC; those of CUMULATE at `offset` +
   * multiples of `size`, and end at each multiple of `slide` from there.
   */
  readonly slide: bigint;
  readonly size: bigint;
  readonly offset: bigint;
  /** The time attribute of `column`, where it has one. */
  readonly time: TimeAttribute | undefined;
}

/**
 * SESSION: each row once, with window_start, window_end and window_time of the session that holds it. A session is as many
 * rows of one partition as follow one another at no more than `gap`; it ends `gap` after the last.
 */
export interface SessionNode extends Common {
  readonly kind: 'session';
  readonly input: PlanNode;
  readonly column: string;
  readonly zoned: boolean;
  /** Microseconds. */
  readonly gap: bigint;
  /** What partitions the rows: `$k0`…, each over the input's own columns. */
  readonly keys: readonly { readonly column: Column; readonly sql: string }[];
  readonly emit: 'changes' | 'on-window-close';
  /** The time attribute of `column`, where it has one: without it no session closes. */
  readonly time: TimeAttribute | undefined;
}

/** UNION ALL. */
export interface UnionNode extends Common {
  readonly kind: 'union';
  readonly inputs: readonly PlanNode[];
}

export interface AggregateCall {
  /** Its name in `outputs`: `$a0`. */
  readonly name: string;
  readonly type: string;
  /** The whole call over the columns of `input`, with a total order where it picks among rows. */
  readonly sql: string;
  /** How it merges from partial results; undefined where it must see the rows. */
  readonly merge: AggregateMerge | undefined;
  /** count(DISTINCT …): its only partial is how many values an epoch's rows bring that the group did not have. */
  readonly distinct: { readonly argument: string; readonly filter: string | undefined } | undefined;
}

export interface AggregateMerge {
  /** What an epoch's rows give, by column: `$a0_0`. */
  readonly partials: readonly {
    readonly name: string;
    readonly sql: string;
    readonly merge: 'sum' | 'min' | 'max' | 'bool_and' | 'bool_or' | 'bit_and' | 'bit_or' | 'bit_xor';
  }[];
  /** The result from the merged partials. */
  readonly final: string;
}

export interface AggregateKey {
  /** Its name in `input` and in `outputs`: `$k0`. */
  readonly name: string;
  readonly type: string;
  /** Set where the key is a column of the node's own window: computed from `$w`, the window's start. */
  readonly role: 'plain' | 'window_start' | 'window_end' | 'window_time';
}

/** GROUP BY over append-only input, or, `weighted`, over changing input by aggregates that can take back. */
export interface AggregateNode extends Common {
  readonly kind: 'aggregate';
  /** Projects the keys (`$k0`…), the arguments (`$x0`…), filters and the identity. */
  readonly input: SelectNode;
  readonly weighted: boolean;
  /** DISTINCT over rows that are only added: a group is given when it is first seen, and never again. */
  readonly firsts: boolean;
  readonly keys: readonly AggregateKey[];
  readonly calls: readonly AggregateCall[];
  /** Over `$k…` and `$a…`. */
  readonly outputs: readonly { readonly name: string; readonly sql: string }[];
  readonly having: string | undefined;
  readonly emit: 'changes' | 'on-window-close';
  /** The window that this node assigns itself, by panes, because its window columns are only used as keys. */
  readonly window: Window | undefined;
  /** When a group is complete: at `watermark >= key + after`. `$w` for the node's own window. */
  readonly close: { readonly column: string; readonly after: bigint; readonly clock: Clock } | undefined;
}

/** An input of an operator that keeps it whole: as a multiset of the columns that are read. */
export interface KeptInput {
  /** Its name in the operator's SQL. */
  readonly placeholder: string;
  readonly node: PlanNode;
  readonly uses: readonly string[];
}

/**
 * The general operator: what an epoch touched is answered anew. Inputs are kept as multisets by key; the user's own SQL runs
 * over the rows of the touched keys, and the delta is its answer less the one that was kept. Without a key an epoch
 * touches everything.
 */
export interface CogroupNode extends Common {
  readonly kind: 'cogroup';
  /** What it stands for: `over`, `top-n`, `except`. */
  readonly title: string;
  /** `keys`: the key over the input's own columns, one expression for each of the node's. */
  readonly inputs: readonly (KeptInput & { readonly keys: readonly string[] })[];
  /** A SELECT over the placeholders: the node's columns, then `$k0`…. */
  readonly body: string;
  /**
   * A SELECT of the rows of the one input, which is only ever added to, that can still matter: of the first n of a key none
   * that is behind them ever will.
   */
  readonly matters: string | undefined;
  /** `$k0`… */
  readonly keys: readonly Column[];
  readonly emit: 'changes' | 'on-window-close';
  /** When a key is complete: at `watermark >= key + after`. */
  readonly close: { readonly column: string; readonly after: bigint; readonly clock: Clock } | undefined;
}

/**
 * A join of two inputs in which it matters whether a row has a match: outer, semi and anti joins. Its SQL names the
 * sides `$l` and `$r`.
 */
export interface MatchNode extends Common {
  readonly kind: 'match';
  readonly left: KeptInput;
  readonly right: KeptInput;
  readonly on: string;
  readonly gives: MatchGives;
  /** Over `$l` and `$r`; of a row without a match the other side is NULL. */
  readonly outputs: readonly { readonly name: string; readonly sql: string }[];
  readonly bounds: JoinBounds | undefined;
  readonly emit: 'changes' | 'on-window-close';
}

export interface MatchGives {
  readonly pairs: boolean;
  /** Rows of the left side alone: those with a match (semi), or those without (anti, left, full). */
  readonly left: 'matched' | 'unmatched' | undefined;
  readonly right: 'unmatched' | undefined;
}

/**
 * Conditions on now(): each row of the input is there while `since <= clock < until`, for every bound, and never where one
 * is NULL. Append-only where rows only appear. No column is a time attribute: rows come when the clock says.
 */
export interface RetentionNode extends Common {
  readonly kind: 'retention';
  readonly input: PlanNode;
  /** What the bounds call the input. */
  readonly alias: string;
  /** BIGINT microseconds over the input's columns. */
  readonly since: readonly string[];
  readonly until: readonly string[];
  /** The conditions as they were written, for EXPLAIN. */
  readonly text: string;
}

/** EMIT EVERY: changes are gathered, and given as one at multiples of `every` (microseconds) of the engine's clock. */
export interface CoalesceNode extends Common {
  readonly kind: 'coalesce';
  readonly input: PlanNode;
  readonly every: bigint;
}

/**
 * EMIT ON WINDOW CLOSE ALLOWED LATENESS: changes of groups wait until the watermark has closed the group's window; those
 * of closed ones pass. `close` is a column of the input, which the node itself has not.
 */
export interface GateNode extends Common {
  readonly kind: 'gate';
  readonly input: AggregateNode;
  readonly close: { readonly column: string; readonly after: bigint; readonly clock: Clock };
  /** Microseconds for which a closed window is corrected. */
  readonly lateness: bigint;
}

/** A side of a join with versions: `keys` over its own columns, one for each of the node's. */
export interface TimedInput extends KeptInput {
  readonly keys: readonly string[];
  /** The column of event time, with its attribute's `after`. */
  readonly time: string;
  readonly after: bigint;
}

/**
 * Each left row with the version of its key that is valid at its time: the right row with the greatest time that is not
 * after it. Both sides are append-only. Its SQL names the sides `$l` and `$r`.
 */
export interface TemporalNode extends Common {
  readonly kind: 'temporal';
  /** What it stands for: `temporal join`. */
  readonly title: string;
  readonly left: TimedInput;
  readonly right: TimedInput;
  /** `$k0`…; NULL matches nothing. */
  readonly keys: readonly Column[];
  /** A version is valid only after its own time. */
  readonly strict: boolean;
  /** A left row without a version is given too. */
  readonly outer: boolean;
  /** The order of versions of one time, over `$r`: total, the one that is meant first. */
  readonly lastFirst: string;
  /** What a version must fulfil beside, where it is an inner join. */
  readonly where: string | undefined;
  readonly outputs: readonly { readonly name: string; readonly sql: string }[];
  readonly emit: 'changes' | 'on-window-close';
}

/**
 * Each left row with what the right side holds in the epoch in which it comes, never revised: the one exception to
 * stream = batch. Its SQL names the sides `$l` and `$r`.
 */
export interface LookupNode extends Common {
  readonly kind: 'lookup';
  readonly left: PlanNode;
  /** `keys` over its own columns. */
  readonly right: KeptInput & { readonly keys: readonly string[] };
  readonly leftKeys: readonly string[];
  readonly keys: readonly Column[];
  readonly on: string;
  readonly outer: boolean;
  readonly outputs: readonly { readonly name: string; readonly sql: string }[];
}

/** A materialized view of the plan, kept as a table of the results database. */
export interface MaterializedView {
  readonly name: string;
  readonly node: PlanNode;
  /** Its columns by the names that the user sees; the node's columns one by one. */
  readonly columns: readonly PlanColumn[];
  /** Its SELECT as the user wrote it. */
  readonly sql: string;
  readonly emit: 'changes' | 'on-window-close';
}

/** A sink and what flows into it: the node's columns one by one, cast to the sink's. */
export interface SinkTarget {
  readonly name: string;
  readonly connector: string;
  readonly plan: SinkPlan;
  readonly node: PlanNode;
  /** As the sink has them, without the `op` of a changelog. */
  readonly columns: readonly Column[];
  /** Its rows are changes, each with a leading column `op`: '+' or '-'. */
  readonly changelog: boolean;
}

/** All that a run does. */
export interface Plan {
  readonly sources: readonly SourceNode[];
  /** All that there are, read by a view or not. */
  readonly tables: readonly TableNode[];
  readonly views: readonly MaterializedView[];
  readonly sinks: readonly SinkTarget[];
  /** The SELECTs of the file, in its order, for the end of the run. */
  readonly closing: readonly { readonly text: string; readonly sql: string }[];
}

/** The plan of views, sinks and tables, with the sources that they read. */
export function planOf(
  views: Plan['views'],
  sinks: Plan['sinks'],
  closing: Plan['closing'],
  tables: Plan['tables'] = [],
): Plan {
  const roots = rootsOf({ views, sinks, tables });
  return { sources: inOrder(roots).filter((node) => node.kind === 'source'), tables, views, sinks, closing };
}

/** The nodes whose deltas go somewhere. */
export const rootsOf = (plan: Pick<Plan, 'views' | 'sinks' | 'tables'>): readonly PlanNode[] => [
  ...plan.tables,
  ...plan.views.map((view) => view.node),
  ...plan.sinks.map((sink) => sink.node),
];

/** Nodes of a plan in an order in which each comes after its inputs. */
export function inOrder(roots: readonly PlanNode[]): readonly PlanNode[] {
  const seen = new Set<PlanNode>();
  const order: PlanNode[] = [];
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const input of inputsOf(node)) visit(input);
    order.push(node);
  };
  roots.forEach(visit);
  return order;
}

export function inputsOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'source':
    case 'table':
    case 'static':
      return [];
    case 'select':
      return node.inputs.map((input) => input.node);
    case 'union':
      return node.inputs;
    case 'cogroup':
      return node.inputs.map((input) => input.node);
    case 'match':
    case 'temporal':
      return [node.left.node, node.right.node];
    case 'lookup':
      return [node.left, node.right.node];
    case 'changelog':
    case 'window':
    case 'session':
    case 'aggregate':
    case 'retention':
    case 'coalesce':
    case 'gate':
      return [node.input];
  }
}

export const isStatic = (node: PlanNode): boolean => node.kind === 'static';

export const streaming = (node: SelectNode): readonly BlockInput[] =>
  node.inputs.filter((input) => !isStatic(input.node));
