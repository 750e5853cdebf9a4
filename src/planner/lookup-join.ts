import { ident } from '../base/sql.ts';
import { overStatic } from './asof-node.ts';
import { newDemand, refuse, type QueryContext } from './context.ts';
import { gather, type Gathered } from './gather.ts';
import { allOf, describeKeys, describeOutputs, pairConditions, pairKey, pairOf, pairOutputs, readsOf } from './pair.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { LookupNode } from './plan-joins.ts';
import type { VersionedRequest } from './temporal-join.ts';

/**
 * Lookup join: each left row with what the right side holds in the epoch in which it comes, never revised. Over a table
 * that does not change it is an ordinary join.
 */
export async function lookupJoin(context: QueryContext, request: VersionedRequest): Promise<Gathered> {
  const { mentioned, table: at } = request;
  const left = await gather(context, request.left, [], mentioned);
  const right = await gather(context, request.right, [], mentioned);
  const pair = pairOf(left, right);
  const conditions = await pairConditions(context, pair, request.on);
  const on = allOf(conditions);
  const outer = request.type === 'LEFT';
  if (left.node.kind === 'static')
    throw refuse(
      context,
      at,
      'a lookup join looks up for the rows of a stream, and its left side does not change',
      'leave FOR SYSTEM_TIME AS OF away',
    );
  if (right.node.kind === 'static') {
    const placeholders = [context.nextId('$in'), context.nextId('$in')] as const;
    const [l, r] = placeholders.map((name) => ident(name).text);
    const sql = `${l} AS "$l" ${outer ? 'LEFT' : 'INNER'} JOIN ${r} AS "$r" ON (${on})`;
    return overStatic(context, pair, mentioned, placeholders, sql);
  }
  if (!left.node.appendOnly) {
    throw refuse(
      context,
      at,
      'a lookup join over rows that change is not supported: what a row found when it came cannot be taken back with it',
      'let the view below it emit on window close, or leave FOR SYSTEM_TIME AS OF away: the join then follows both sides',
    );
  }
  const equal = conditions.flatMap(({ compares }) =>
    compares?.operator === '=' || compares?.operator === 'is not distinct from' ? [compares] : [],
  );
  const keys = await Promise.all(equal.map((compares) => pairKey(context, pair, compares)));
  const outcome = pairOutputs(pair, mentioned);
  const described = await describeOutputs(context, pair, outcome.outputs);
  // Rows go by as they come, so what their times promise holds on.
  const columns = described.map((column): PlanColumn => {
    const time = outcome.leftColumns.get(column.name)?.time;
    return time === undefined ? column : { ...column, time };
  });
  const read = new Set([
    ...outcome.outputs.flatMap(({ of: [alias, name] }) => (alias === '$r' ? [name] : [])),
    ...readsOf(
      pair,
      '$r',
      conditions.map((condition) => condition.expression),
    ),
  ]);
  const id = context.nextId('lookup');
  await context.service.declare(id, columns);
  const node: LookupNode = {
    kind: 'lookup', id, columns, appendOnly: true, demand: newDemand(),
    left: left.node,
    right: {
      placeholder: '$r', node: right.node, keys: keys.map((key) => key.right),
      uses: right.node.columns.map((column) => column.name).filter((name) => read.has(name)),
    },
    leftKeys: keys.map((key) => key.left),
    keys: await describeKeys(context, pair, keys),
    on, outer,
    outputs: outcome.outputs.map(({ name, sql }) => ({ name, sql })),
  }; // prettier-ignore
  return { node, relations: outcome.relations };
}
