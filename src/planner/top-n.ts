import { ident } from '../base/sql.ts';
import { cell, cogroupNode } from './cogroup-node.ts';
import type { QueryContext, Relational } from './context.ts';
import type { Modifiers } from './modifiers.ts';

const ALIAS = '$s';

/** A column of the relation, by which it is ordered or made distinct. */
export interface OrderColumn {
  readonly column: string;
  readonly direction: string;
}

/**
 * DISTINCT ON, ORDER BY with LIMIT and OFFSET: the first rows, kept up. Rows that tie are told apart by all their columns, so
 * that which of them is among the first does not depend on when it came.
 */
export async function topN(
  context: QueryContext,
  relational: Relational,
  modifiers: Modifiers,
  orders: readonly OrderColumn[],
  on: readonly string[],
): Promise<Relational> {
  const visible = relational.node.columns.map((column) => column.name).filter((name) => !name.startsWith('$o'));
  const limited = modifiers.limit !== undefined || modifiers.offset !== undefined;
  let current = relational;
  if (on.length > 0) {
    const list = limited ? relational.node.columns.map((column) => column.name) : visible;
    current = await distinctOn(context, relational, modifiers, orders, on, list);
  }
  if (!limited) return current;
  const names = current.node.columns.map((column) => column.name);
  const placeholder = context.nextId('$in');
  const list = visible.map((name) => `${cell(ALIAS, name)} AS ${ident(name).text}`);
  const limit = modifiers.limit === undefined ? '' : ` LIMIT ${modifiers.limit}`;
  const offset = modifiers.offset === undefined ? '' : ` OFFSET ${modifiers.offset}`;
  return cogroupNode(context, {
    title: 'top-n',
    inputs: [{ placeholder, node: current.node, uses: names, keys: [] }],
    body: `SELECT ${list.join(', ')} FROM ${ident(placeholder).text} AS ${ident(ALIAS).text} ORDER BY ${totalOrder(orders, names)}${limit}${offset}`,
    matters:
      modifiers.limit === undefined
        ? undefined
        : `SELECT * FROM ${ident(placeholder).text} AS ${ident(ALIAS).text} ORDER BY ${totalOrder(orders, names)} LIMIT ${modifiers.limit + (modifiers.offset ?? 0)}`,
    keyTimes: [],
    keyOutputs: new Map(),
    at: modifiers.at,
  });
}

async function distinctOn(
  context: QueryContext,
  relational: Relational,
  modifiers: Modifiers,
  orders: readonly OrderColumn[],
  on: readonly string[],
  shown: readonly string[],
): Promise<Relational> {
  const { node } = relational;
  const names = node.columns.map((column) => column.name);
  const placeholder = context.nextId('$in');
  const keys = on.map((_, i) => cell(ALIAS, `$k${i}`));
  const list = shown.map((name) => `${cell(ALIAS, name)} AS ${ident(name).text}`);
  const hidden = keys.map((key, i) => `${key} AS ${ident(`$k${i}`).text}`);
  const first = `FROM ${ident(placeholder).text} AS ${ident(ALIAS).text} QUALIFY row_number() OVER (PARTITION BY ${keys.join(', ')} ORDER BY ${totalOrder(orders, names)}) = 1`;
  return cogroupNode(context, {
    title: 'distinct on',
    matters: `SELECT * ${first}`,
    inputs: [{ placeholder, node, uses: names, keys: on.map((name) => ident(name).text) }],
    body: `SELECT ${[...list, ...hidden].join(', ')} ${first}`,
    keyTimes: on.map((name) => node.columns.find((column) => column.name === name)?.time),
    keyOutputs: new Map(on.map((name, i) => [name, i])),
    at: modifiers.at,
  });
}

function totalOrder(orders: readonly OrderColumn[], names: readonly string[]): string {
  return [
    ...orders.map((order) => `${cell(ALIAS, order.column)} ${order.direction}`),
    ...names.map((name) => `${cell(ALIAS, name)} NULLS LAST`),
  ].join(', ');
}
