import type { SinkPlan } from '../base/connector.ts';
import type { Column } from '../base/schema.ts';
import type { AggregateNode } from './plan-aggregate.ts';
import type { CogroupNode } from './plan-cogroup.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { HoldingNode } from './plan-holding.ts';
import type { LookupNode, MatchNode, TemporalNode } from './plan-joins.ts';
import type { BlockInput, SelectNode, UnionNode } from './plan-select.ts';
import type { ChangelogNode, SourceNode, StaticNode, TableNode } from './plan-sources.ts';
import type { SessionNode, WindowNode } from './plan-windows.ts';

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

/** A materialized view of the plan, kept as a table of the results database. */
export interface MaterializedView {
  readonly name: string;
  readonly node: PlanNode;
  /** Its columns by the names that the user sees; the node's columns one by one. */
  readonly columns: readonly PlanColumn[];
  /** Its SELECT as the user wrote it. */
  readonly sql: string;
  readonly emit: 'changes' | 'on-window-close';
  /** How its rows are to be ordered when they are shown, where a query said so. */
  readonly order?: string;
}

/** A sink and what flows into it: the node's columns one by one, cast to the sink's. */
export interface SinkTarget {
  readonly name: string;
  readonly connector: string;
  readonly plan: SinkPlan;
  /** The options that say what it writes, and where. */
  readonly writes: string;
  readonly node: PlanNode;
  /** As the sink has them, without the `op` of a changelog. */
  readonly columns: readonly Column[];
  /** Its rows are changes, each with a leading column `op`: '+' or '-'. */
  readonly changelog: boolean;
  /** The query whose rows it takes, as written. */
  readonly query?: string;
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
