import { sameName } from '../base/schema.ts';
import { ident } from '../base/sql.ts';
import { newDemand, refuse, type QueryContext } from './context.ts';
import type { Pair } from './pair.ts';
import type { ChangelogNode, PlanColumn, SelectNode } from './plan.ts';
import type { VersionedRequest } from './temporal-join.ts';

/**
 * The versions that a source of changes brings: each record that puts a row, from the row's event time on. The end of a key
 * says no time of its own, so the versions before it stay.
 */
export async function versionsOf(context: QueryContext, node: ChangelogNode): Promise<SelectNode> {
  const { input, put } = node;
  const columns = node.columns.map((column): PlanColumn => {
    const timed = node.eventTime !== undefined && sameName(node.eventTime.column, column.name);
    return timed ? { ...column, time: { after: 1n, clock: 'event' } } : column;
  });
  const [id, placeholder] = [context.nextId('versions'), context.nextId('$in')];
  await context.service.declare(id, columns);
  const projection = columns.map(({ name }) => ({
    name,
    sql: put.values.find((value) => value.name === name)?.sql ?? 'NULL',
  }));
  const uses = input.columns.map((column) => column.name);
  return {
    kind: 'select', id, columns, appendOnly: true, demand: newDemand(),
    inputs: [{ placeholder, alias: input.name, node: input, uses, filter: undefined }],
    from: `${ident(placeholder).text} AS ${ident(input.name).text}`, where: put.when, projection, bounds: undefined,
  }; // prettier-ignore
}

/** The columns by which the right side's versions belong together; undefined where the join's equalities say it. */
export function versionKey(
  context: QueryContext,
  request: VersionedRequest,
  changes: ChangelogNode | undefined,
  pair: Pair,
  matched: readonly string[],
): readonly string[] {
  if (changes === undefined) return matched;
  const own = changes.key.map((column) => column.name);
  const columns = pair.right.node.columns.map((column) => column.name);
  if (own.length === 0 || own.some((name) => !columns.includes(name))) {
    const hint = 'declare the PRIMARY KEY of the source';
    throw refuse(
      context,
      request.table,
      'the versions of a source of changes are those of its PRIMARY KEY, and it has none',
      hint,
    );
  }
  const missing = own.filter((name) => !matched.includes(name));
  if (missing.length > 0) {
    throw refuse(
      context,
      request.table,
      `the versions of this source are those of its PRIMARY KEY, and no equality compares ${missing.join(', ')}`,
      `add l.${missing[0] ?? ''} = r.${missing[0] ?? ''} to the condition`,
    );
  }
  return own;
}
