import { ident } from '../base/sql.ts';
import {
  columnRef, conjuncts, expressions, fingerprint, isExpression, nodes, replace, text, walk,
  type AstNode, type Expression, type Json,
} from './ast.ts'; // prettier-ignore
import type { Block, Item } from './block.ts';
import { cogroupNode } from './cogroup-node.ts';
import type { Relational } from './context.ts';
import { print } from './expressions.ts';
import type { PlanColumn } from './plan.ts';

export function windowsIn(values: readonly Json[]): readonly Expression[] {
  const found: Expression[] = [];
  walk(values, (node) => {
    if (node['class'] !== 'WINDOW') return true;
    found.push(node as Expression);
    return false;
  });
  return found;
}

/** What the windows of a block are computed over: one relation, and the block's expressions over its columns. */
export interface OverInput {
  readonly relational: Relational;
  readonly items: readonly Item[];
  readonly qualify: Expression | undefined;
  readonly at: AstNode;
}

const ALIAS = '$s';

/** OVER windows and QUALIFY: a partition that an epoch touches is answered anew. */
export async function overNode(block: Block, input: OverInput): Promise<Relational> {
  const { context } = block;
  const node = input.relational.node;
  const order = node.columns.map((column) => columnRef(ALIAS, column.name));
  const total = (value: Json): Json => withTotalOrder(value, order);
  const windows = windowsIn([
    ...input.items.map((item) => item.expression),
    ...(input.qualify === undefined ? [] : [input.qualify]),
  ]);
  const keys = commonPartition(windows);
  const bare = (key: Expression): Expression => withoutAlias(key);
  const keySql = await Promise.all(keys.map((key) => print(context.service, bare(key))));
  const list = await Promise.all(
    input.items.map(
      async (item) =>
        `${await print(context.service, total(item.expression) as Expression)} AS ${ident(item.name).text}`,
    ),
  );
  const hidden = keys.map((_, i) => `${ident(ALIAS).text}.${ident(`$k${i}`).text} AS ${ident(`$k${i}`).text}`);
  const qualify =
    input.qualify === undefined ? '' : ` QUALIFY ${await print(context.service, total(input.qualify) as Expression)}`;
  const times = keys.map((key) => columnOf(node.columns, key)?.time);
  const outputs = new Map(
    input.items.flatMap((item) => {
      const at = keys.findIndex((key) => fingerprint(key) === fingerprint(item.expression));
      return at < 0 ? [] : [[item.name, at] as const];
    }),
  );
  const placeholder = context.nextId('$in');
  const first = firstOfKey(windows, keys, input.qualify);
  return cogroupNode(context, {
    title: 'over',
    matters:
      first === undefined
        ? undefined
        : `SELECT * FROM ${ident(placeholder).text} AS ${ident(ALIAS).text} QUALIFY ${await print(context.service, total(first) as Expression)}`,
    inputs: [{ placeholder, node, uses: node.columns.map((column) => column.name), keys: keySql }],
    body: `SELECT ${[...list, ...hidden].join(', ')} FROM ${ident(placeholder).text} AS ${ident(ALIAS).text}${qualify}`,
    keyTimes: times,
    keyOutputs: outputs,
    at: input.at,
  });
}

const RANKS = new Set(['row_number', 'rank', 'dense_rank']);

/**
 * `row_number() OVER (PARTITION BY the key ORDER BY …) <= n` where that is the block's only window: while rows are only
 * added, one that is behind the first n stays there.
 */
function firstOfKey(
  windows: readonly Expression[],
  keys: readonly Expression[],
  qualify: Expression | undefined,
): Expression | undefined {
  const [window] = windows;
  if (window === undefined || windows.some((other) => fingerprint(other) !== fingerprint(window))) return undefined;
  if (!RANKS.has(text(window['function_name'])) || expressions(window['partitions']).length !== keys.length) return undefined; // prettier-ignore
  for (const condition of conjuncts(qualify ?? null)) {
    const [left, right] = [condition['left'], condition['right']];
    if (!isExpression(left) || !isExpression(right) || right.class !== 'CONSTANT') continue;
    if (fingerprint(left) !== fingerprint(window)) continue;
    if (condition.type === 'COMPARE_EQUAL') return { ...condition, type: 'COMPARE_LESSTHANOREQUALTO' };
    if (condition.type === 'COMPARE_LESSTHANOREQUALTO' || condition.type === 'COMPARE_LESSTHAN') return condition;
  }
  return undefined;
}

export const overColumn = (name: string): Expression => columnRef(ALIAS, name);

function columnOf(columns: readonly PlanColumn[], key: Expression): PlanColumn | undefined {
  const path = key['column_names'];
  return Array.isArray(path) ? columns.find((column) => column.name === path.at(-1)) : undefined;
}

const withoutAlias = (key: Expression): Expression =>
  replace(key, (node) => {
    const path = node['class'] === 'COLUMN_REF' ? (node['column_names'] as readonly string[]) : [];
    return path[0] === ALIAS ? columnRef(...path.slice(1)) : undefined;
  }) as Expression;

/** The expressions by which every window is partitioned. */
function commonPartition(windows: readonly Expression[]): readonly Expression[] {
  const [first, ...others] = windows.map((window) => expressions(window['partitions']));
  return (first ?? []).filter((key) =>
    others.every((partition) => partition.some((candidate) => fingerprint(candidate) === fingerprint(key))),
  );
}

/** Functions that number rows or look at neighbours: ties in their order would be decided by where rows lie. */
const BY_ROW = new Set(['row_number', 'lag', 'lead', 'ntile']);
/** They pick a row of the frame; with RANGE the peers stay in it, and an order of their own tells which is meant. */
const PICKING = new Set(['first_value', 'last_value', 'nth_value', 'first', 'last', 'list', 'array_agg', 'string_agg', 'any_value', 'arg_min', 'arg_max']); // prettier-ignore

function withTotalOrder(value: Json, columns: readonly Expression[]): Json {
  return replace(value, (node) => {
    if (node['class'] !== 'WINDOW') return undefined;
    const name = text(node['function_name']).toLowerCase();
    const total = (orders: readonly AstNode[]): readonly AstNode[] => {
      const told = [...expressions(node['partitions']), ...orders.map((order) => order['expression'] ?? null)];
      const known = new Set(told.map(fingerprint));
      const others = columns.filter((column) => !known.has(fingerprint(column)));
      return [...orders, ...others.map((expression): AstNode => ({ type: 'ASCENDING', null_order: 'NULLS LAST', expression }))]; // prettier-ignore
    };
    const rows = [text(node['start']), text(node['end'])].some((edge) => edge.endsWith('_ROWS'));
    if (BY_ROW.has(name) || rows) return { ...node, orders: total(nodes(node['orders'])) };
    if (PICKING.has(name)) {
      const own = nodes(node['arg_orders']);
      return { ...node, arg_orders: total(own.length > 0 ? own : nodes(node['orders'])) };
    }
    return undefined;
  });
}

/** The columns that a block's expressions read, for the relation below its windows. */
export function columnsRead(block: Block, values: readonly Json[]): readonly Item[] {
  const found = new Map<string, Item>();
  for (const read of block.from.scope.reads(values)) {
    const key = `${read.relation.alias}\u0000${read.column.name}`;
    if (!found.has(key))
      found.set(key, { name: `$c${found.size}`, expression: columnRef(read.relation.alias, read.column.name) });
  }
  return [...found.values()];
}

/** Expressions with each of `items` replaced by its column. */
export function overItems(value: Expression, items: readonly Item[]): Expression {
  const names = new Map(items.map((item) => [fingerprint(item.expression), item.name]));
  const visit = (at: Json): Json =>
    replace(at, (node) => {
      if (!isExpression(node)) return undefined;
      const name = names.get(fingerprint(node));
      if (name !== undefined) return { ...overColumn(name), alias: text(node['alias']) };
      const path = node.class === 'COLUMN_REF' ? (node['column_names'] as readonly string[]) : [];
      // A field of a struct: the column is its first two names.
      const column = path.length > 2 ? names.get(fingerprint(columnRef(...path.slice(0, 2)))) : undefined;
      return column === undefined ? undefined : columnRef(ALIAS, column, ...path.slice(2));
    });
  return visit(value) as Expression;
}
