import type { OperatorDelta } from '../base/run.ts';
import { sql } from '../base/sql.ts';
import type { Graph } from './graph.ts';
import { AggregateOperator } from './operators/aggregate.ts';
import type { Session } from './session.ts';

/** So many rows of each operator are shown. */
const SHOWN_ROWS = 20;

/** What each operator gave in the epoch that it has just stepped: the rows of its delta, and the first of them. */
export async function operatorDeltas(graph: Graph, session: Session): Promise<readonly OperatorDelta[]> {
  const deltas: OperatorDelta[] = [];
  for (const operator of graph.operators) {
    if (operator.node.kind === 'static') continue;
    const { title } = operator.explain();
    const given = operator instanceof AggregateOperator ? operator.given() : operator.delta(false);
    const delta = operator.hasRows() ? given : undefined;
    if (delta === undefined) {
      deltas.push({ operator: operator.node.id, title, rows: 0, table: { columns: [], rows: [] } });
      continue;
    }
    const [counted] = await session.rows('step', sql`SELECT count(*) AS n FROM ${delta}`);
    const table = await session.table('step', sql`SELECT * FROM ${delta} LIMIT ${SHOWN_ROWS}`);
    deltas.push({ operator: operator.node.id, title, rows: Number(counted?.['n']), table });
  }
  return deltas;
}
