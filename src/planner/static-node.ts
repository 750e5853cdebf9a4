import type { Column } from '../base/schema.ts';
import { raw } from '../base/sql.ts';
import { newDemand, type QueryContext } from './context.ts';
import type { StaticNode } from './plan-sources.ts';

/** A query over what does not change, as a node; `described`: its columns, where they are known already. */
export async function staticNode(
  context: QueryContext,
  sql: string,
  described?: readonly Column[],
): Promise<StaticNode> {
  const columns = described ?? (await context.service.describe(raw(sql)));
  const id = context.nextId('static');
  await context.service.declare(id, columns);
  return { kind: 'static', id, columns, appendOnly: true, demand: newDemand(), sql };
}
