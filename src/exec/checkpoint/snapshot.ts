import type { Identity } from '../../planner/fingerprint.ts';
import type { Graph } from '../graph.ts';
import type { PinnedTable } from '../state-journal.ts';
import type { StateTable } from '../state.ts';
import type { Operator } from '../operators/operator.ts';
import type { Memo } from './manifest.ts';

/** An operator between two epochs: what it keeps beside its tables, and what is to be written of those. */
export interface OperatorSnapshot {
  readonly key: string;
  readonly title: string;
  readonly memo: Memo;
  readonly tables: readonly TableSnapshot[];
}

export interface TableSnapshot {
  /** Without the operator's name. */
  readonly name: string;
  readonly state: StateTable;
  readonly pinned: PinnedTable;
}

/** The operators of a graph that keep something, by their keys. */
export function keepers(graph: Graph, identity: Identity): readonly { key: string; operator: Operator }[] {
  return graph.operators
    .filter((operator) => operator.tables !== undefined || operator.save !== undefined)
    .map((operator) => ({ key: identity.keys.get(operator.node) ?? operator.node.id, operator }));
}

/** What a table of an operator is called in a checkpoint: node names change with the file, these do not. */
export const tableName = (operator: Operator, table: StateTable): string =>
  table.label.startsWith(operator.node.id) ? table.label.slice(operator.node.id.length) : table.label;

export async function snapshotOf(graph: Graph, identity: Identity): Promise<readonly OperatorSnapshot[]> {
  const kept = keepers(graph, identity);
  for (const { operator } of kept) for (const table of operator.tables ?? []) await table.recount();
  return kept.map(({ key, operator }) => ({
    key,
    title: operator.explain().title,
    memo: operator.save?.() ?? null,
    tables: (operator.tables ?? []).map((state) => ({ name: tableName(operator, state), state, pinned: state.pin() })),
  }));
}
