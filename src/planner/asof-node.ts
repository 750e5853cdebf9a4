import { ident } from '../base/sql.ts';
import { columnRef, type AstNode, type Expression } from './ast.ts';
import { cogroupNode } from './cogroup-node.ts';
import type { QueryContext } from './context.ts';
import { print } from './expressions.ts';
import type { From } from './from-part.ts';
import type { Gathered, Mentioned } from './gather.ts';
import { allOf, lastFirst, pairOutputs, readsOf, type Pair, type PairCondition, type PairKey } from './pair.ts';
import { Scope, type Relation } from './scope.ts';
import { selectNode } from './select-node.ts';

/** A join of each left row with the nearest right row of its key. */
export interface Nearest {
  /** What it is called. */
  readonly title: string;
  readonly pair: Pair;
  /** A left row without a right one is given too. */
  readonly outer: boolean;
  /** Equalities, one inequality, conditions on the left side. */
  readonly on: readonly PairCondition[];
  readonly keys: readonly PairKey[];
  /** What the rows of a key are ordered by: an expression over `$r`. */
  readonly time: Expression;
  /** What the nearest row must fulfil beside. */
  readonly residual: readonly PairCondition[];
  readonly mentioned: Mentioned;
  readonly at: AstNode;
}

/** The rows of the keys that an epoch touches are joined anew. */
export async function nearestNode(context: QueryContext, join: Nearest): Promise<Gathered> {
  const { pair, keys } = join;
  const [l, r] = [context.nextId('$in'), context.nextId('$in')];
  const outcome = pairOutputs(pair, join.mentioned, picked(join.outer, join.residual));
  const list = outcome.outputs.map((output) => `${output.sql} AS ${ident(output.name).text}`);
  const key = (alias: string, i: number): string => ident(alias, `$k${i}`).text;
  const hidden = keys.map((_, i) => `${key('$l', i)} AS ${ident(`$k${i}`).text}`);
  const partition = keys.map((_, i) => key('$r', i));
  const read = readsOf(
    pair,
    '$l',
    [...join.on, ...join.residual].map((condition) => condition.expression),
  );
  const kept = new Set([...outcome.leftUses, ...read]);
  const made = await cogroupNode(context, {
    title: join.title,
    inputs: [
      {
        placeholder: l,
        node: pair.left.node,
        uses: pair.left.node.columns.map((column) => column.name).filter((name) => kept.has(name)),
        keys: keys.map((part) => part.left),
      },
      {
        placeholder: r,
        node: pair.right.node,
        // Which of two rows at the same time is meant does not depend on what the query reads of them.
        uses: pair.right.node.columns.map((column) => column.name),
        keys: keys.map((part) => part.right),
      },
    ],
    body: `SELECT ${[...list, ...hidden].join(', ')} FROM ${await nearest(context, join, [l, r], partition)}`,
    keyTimes: keys.map((part) => part.time),
    keyOutputs: keyOutputs(pair, keys, outcome.leftColumns),
    at: join.at,
  });
  return { node: made.node, relations: outcome.relations };
}

/** Over a right side that does not change: nothing is kept of the left one. */
export async function nearestOfStatic(context: QueryContext, join: Nearest): Promise<Gathered> {
  const placeholders = [context.nextId('$in'), context.nextId('$in')] as const;
  const equal = join.on.flatMap(({ compares }) => (compares?.operator === '=' ? [compares.right] : []));
  const partition = await Promise.all(equal.map((expression) => print(context.service, expression)));
  const from = await nearest(context, join, placeholders, partition);
  return overStatic(context, join.pair, join.mentioned, placeholders, from);
}

async function nearest(
  context: QueryContext,
  join: Nearest,
  [l, r]: readonly [string, string],
  partition: readonly string[],
): Promise<string> {
  const by = [...partition, await print(context.service, join.time)].join(', ');
  const order = lastFirst('$r', join.pair.right.node.columns);
  const lasts = `SELECT * FROM ${ident(r).text} AS "$r" QUALIFY row_number() OVER (PARTITION BY ${by} ORDER BY ${order}) = 1`;
  const on = allOf(join.on);
  const where = join.residual.length === 0 || join.outer ? '' : ` WHERE ${allOf(join.residual)}`;
  return `${ident(l).text} AS "$l" ASOF ${join.outer ? 'LEFT ' : ''}JOIN (${lasts}) AS "$r" ON ${on}${where}`;
}

/** A column of a picked row: NULL where an outer join's condition refuses the row. */
export const picked =
  (outer: boolean, residual: readonly PairCondition[]) =>
  (column: string): string =>
    outer && residual.length > 0 ? `CASE WHEN ${allOf(residual)} THEN ${column} END` : column;

/** Which outputs are the left column of a key and nothing else. */
function keyOutputs(
  pair: Pair,
  keys: readonly PairKey[],
  columns: ReturnType<typeof pairOutputs>['leftColumns'],
): ReadonlyMap<string, number> {
  return new Map(
    [...columns].flatMap(([output, column]) => {
      const at = keys.findIndex((key) => pair.scope.plainColumn(key.of.left)?.column.name === column.name);
      return at < 0 ? [] : [[output, at] as const];
    }),
  );
}

/** A join with a right side that does not change, as a linear node: `sql` is its FROM over the two placeholders. */
export async function overStatic(
  context: QueryContext,
  pair: Pair,
  mentioned: Mentioned,
  placeholders: readonly [string, string],
  sql: string,
): Promise<Gathered> {
  const outcome = pairOutputs(pair, mentioned);
  const side = (alias: string, i: 0 | 1, node: Gathered['node']): Relation => ({
    alias,
    columns: node.columns,
    input: { placeholder: placeholders[i], node },
    merged: new Set(),
  });
  const relations = [side('$l', 0, pair.left.node), side('$r', 1, pair.right.node)];
  const from: From = { scope: new Scope(relations), sql, conditions: [], opaque: true };
  const items = outcome.outputs.map(({ name, of }) => ({ name, expression: columnRef(...of) }));
  const block = { context, from, items, conditions: [], groups: [], having: undefined, qualify: undefined };
  return { node: await selectNode(block, items, 'rows'), relations: outcome.relations };
}
