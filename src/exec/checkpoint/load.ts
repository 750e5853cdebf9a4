import { StreamsqlError } from '../../base/errors.ts';
import { sql } from '../../base/sql.ts';
import type { Identity } from '../../planner/fingerprint.ts';
import type { PlanNode } from '../../planner/plan.ts';
import type { DuckConnection } from '../duck.ts';
import type { Graph } from '../graph.ts';
import type { StateTable } from '../state.ts';
import type { Manifest, TableState } from './manifest.ts';
import { restoreTable } from './restore-table.ts';
import { keepers, tableName } from './snapshot.ts';

/** Fills the operators of a graph, which is open, with what a checkpoint has of them. Those that it does not know stay empty, and those of `but`. */
export async function loadState(
  graph: Graph,
  identity: Identity,
  manifest: Manifest,
  folder: string,
  connection: DuckConnection,
  but: ReadonlySet<PlanNode>,
): Promise<void> {
  const known = new Map(manifest.operators.map((operator) => [operator.key, operator]));
  for (const { key, operator } of keepers(graph, identity)) {
    const saved = known.get(key);
    if (saved === undefined || but.has(operator.node)) continue;
    for (const table of operator.tables ?? []) {
      const state = saved.tables.find((candidate) => candidate.name === tableName(operator, table));
      if (state === undefined) throw otherShape(key);
      const columns = await connection.columns(table.name);
      if (JSON.stringify(columns) !== JSON.stringify(state.columns)) throw otherShape(key);
      await refill(table, state, folder, connection);
    }
    operator.load?.(saved.memo);
  }
}

/** A table of the state, which is open and empty, becomes what a checkpoint has of it. */
export async function refill(
  table: StateTable,
  state: TableState,
  folder: string,
  connection: DuckConnection,
): Promise<void> {
  await connection.run(sql`DROP TABLE ${table.name}`);
  const next = await restoreTable(connection, table.name, state, folder);
  const [counted] = await connection.rows(sql`SELECT count(*) AS n FROM ${table.name}`);
  const rows = Number(counted?.['n']);
  table.restored({ rows, next, segments: state.segments.length, segmentRows: rowsIn(state) });
}

const rowsIn = ({ segments }: TableState): number => segments.reduce((sum, { rows }) => sum + rows, 0);

function otherShape(key: string): StreamsqlError {
  const name = key.slice(0, key.lastIndexOf('/'));
  return new StreamsqlError('STATE', `what the checkpoint keeps for ${name} is not what it needs by now`, {
    hint: `a view that was added reads more of it: run with --rebuild ${name} to build it anew from the start of its sources`,
  });
}
