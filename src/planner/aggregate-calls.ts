import { ident, raw } from '../base/sql.ts';
import {
  columnRef,
  expressions,
  fingerprint,
  isExpression,
  isNode,
  nodes,
  text,
  walk,
  type AstNode,
  type Expression,
} from './ast.ts';
import { aggregateKind, mergeOf, mergeWeighted } from './aggregate-functions.ts';
import type { Block, Item } from './block.ts';
import { refuse } from './context.ts';
import { print } from './expressions.ts';
import type { AggregateCall, AggregateMerge } from './plan-aggregate.ts';
import type { SelectNode } from './plan-select.ts';

/** The columns that the aggregation's input projects: `$k…` keys, `$x…` arguments. */
export class InputColumns {
  readonly items: Item[] = [];
  private readonly byFingerprint = new Map<string, string>();

  constructor(keys: readonly (Expression | undefined)[]) {
    keys.forEach((key, i) => {
      if (key !== undefined) this.items.push({ name: `$k${i}`, expression: key });
    });
  }

  add(name: string, expression: Expression): void {
    this.items.push({ name, expression });
  }

  /** The column that carries an argument. */
  argument(expression: Expression): string {
    const known = this.byFingerprint.get(fingerprint(expression));
    if (known !== undefined) return known;
    const name = `$x${this.byFingerprint.size}`;
    this.byFingerprint.set(fingerprint(expression), name);
    this.items.push({ name, expression: { ...expression, alias: '' } });
    return name;
  }
}

interface ShapedCall {
  readonly call: Expression;
  readonly name: string;
  /** Over the input's columns, without the order of ours. */
  readonly plain: Expression;
  readonly full: Expression;
  readonly ordered: boolean;
  readonly argument: string | undefined;
  readonly filter: string | undefined;
  readonly mergeable: boolean;
  /** count(DISTINCT one argument). */
  readonly countsDistinct: boolean;
}

export function shapeCall(
  block: Block,
  call: Expression,
  input: InputColumns,
  identity: readonly string[],
): ShapedCall {
  const name = text(call['function_name']).toLowerCase();
  const kind = aggregateKind(name);
  if (kind === undefined) {
    throw refuse(
      block.context,
      call,
      `the aggregate ${name} is not supported: nothing is known of its meaning over a growing input`,
    );
  }
  const carried = (expression: Expression): Expression =>
    isConstant(expression) ? expression : columnRef(input.argument(expression));
  const children = expressions(call['children']).map(carried);
  const filter = isExpression(call['filter']) ? input.argument(call['filter']) : undefined;
  const orders = nodes(isNode(call['order_bys']) ? call['order_bys']['orders'] : null).map((order) =>
    isExpression(order['expression']) ? { ...order, expression: carried(order['expression']) } : order,
  );
  const picked = children.filter((child) => child.class === 'COLUMN_REF');
  const isDistinct = call['distinct'] === true;
  const ordered = kind === 'ordered' || orders.length > 0;
  const total = isDistinct ? picked : [...identity.map((column) => columnRef(column)), ...picked];
  const shape = (added: readonly Expression[]): Expression => withOrders([...orders, ...added.map(ascending)]);
  const withOrders = (all: readonly AstNode[]): Expression => ({
    ...call,
    alias: '',
    children,
    filter: filter === undefined ? null : columnRef(filter),
    order_bys: { type: 'ORDER_MODIFIER', orders: notBySelf(all, children) },
  });
  return {
    call,
    name,
    plain: shape([]),
    full: shape(ordered ? total : []),
    ordered: ordered && !isDistinct,
    argument: children[0]?.class === 'COLUMN_REF' ? (children[0]['column_names'] as readonly string[])[0] : undefined,
    filter,
    mergeable: kind === 'merge' && !isDistinct && orders.length === 0 && children.length <= 1,
    countsDistinct: name === 'count' && isDistinct && orders.length === 0 && children.length === 1,
  };
}

/** DuckDB's parser makes list_sort of a list that is ordered by its own argument alone; with two orders it stays a list. */
function notBySelf(orders: readonly AstNode[], children: readonly Expression[]): readonly AstNode[] {
  const [only, second] = orders;
  const own = only !== undefined && second === undefined && isExpression(only['expression']);
  const same = own && fingerprint(only['expression'] ?? null) === fingerprint(children[0] ?? null);
  return same ? [only, only] : orders;
}

const ascending = (expression: Expression): AstNode => ({ type: 'ASCENDING', null_order: 'NULLS LAST', expression });

/** Constants, also negated, cast or in a list: quantile's second argument must stay one. */
export function isConstant(expression: Expression): boolean {
  let constant = true;
  walk(expression, (node) => {
    if (node['class'] === 'COLUMN_REF' || node['class'] === 'LAMBDA') constant = false;
  });
  return constant;
}

export async function finishCalls(
  block: Block,
  shaped: readonly ShapedCall[],
  input: SelectNode,
  distinctByValue: boolean,
): Promise<readonly AggregateCall[]> {
  const service = block.context.service;
  const plain = await Promise.all(shaped.map((call) => print(service, call.plain)));
  if (plain.length === 0) return [];
  const list = plain.map((sql, i) => `${sql} AS ${ident(`$a${i}`).text}`).join(', ');
  const types = await service.describe(raw(`SELECT ${list} FROM plan.${ident(input.id).text}`));
  const merges = shaped.map((call, i) => {
    const argumentType = input.columns.find((column) => column.name === call.argument)?.type ?? 'INTEGER';
    const constant = expressions(call.plain['children'])[0];
    const argument =
      call.argument === undefined ? (constant === undefined ? undefined : plain[i]) : ident(call.argument).text;
    if (distinctByValue && input.appendOnly && isDistinctCount(call)) return DISTINCT_COUNT(`$a${i}`);
    if (!call.mergeable || (call.argument === undefined && constant !== undefined)) return undefined;
    const filter = call.filter === undefined ? undefined : ident(call.filter).text;
    return (input.appendOnly ? mergeOf : mergeWeighted)(
      { name: call.name, result: `$a${i}`, resultType: types[i]?.type ?? '', argumentType },
      argument,
      filter,
    );
  });
  return Promise.all(
    shaped.map(async (call, i) => ({
      name: `$a${i}`,
      type: types[i]?.type ?? '',
      sql: await print(service, call.full),
      merge: merges[i],
      distinct:
        merges[i] !== undefined && isDistinctCount(call) && call.argument !== undefined
          ? { argument: call.argument, filter: call.filter }
          : undefined,
    })),
  );
}

const isDistinctCount = (call: ShapedCall): boolean => call.countsDistinct && call.argument !== undefined;

/** Of an epoch's rows by themselves nothing can be told; the operator adds what is new to the group. */
const DISTINCT_COUNT = (result: string): AggregateMerge => ({
  partials: [{ name: `${result}_0`, sql: 'count(*) * 0', merge: 'sum' }],
  final: `CAST("${result}_0" AS BIGINT)`,
});

export function aggregatesOf(block: Block): readonly Expression[] {
  const found: Expression[] = [];
  const roots = [...block.items.map((item) => item.expression), ...(block.having === undefined ? [] : [block.having])];
  walk(roots, (node) => {
    if (!isAggregate(block, node)) return true;
    found.push(node as Expression);
    return false;
  });
  return distinct(found);
}

export function hasAggregate(block: Block, expression: Expression): boolean {
  let found = false;
  walk(expression, (node) => {
    found ||= isAggregate(block, node);
  });
  return found;
}

export const isAggregate = (block: Block, node: AstNode): boolean =>
  node['class'] === 'FUNCTION' &&
  node['is_operator'] !== true &&
  block.context.service.functionKind(text(node['function_name'])) === 'aggregate';

export function distinct(list: readonly Expression[]): readonly Expression[] {
  const seen = new Map(list.toReversed().map((expression) => [fingerprint(expression), expression]));
  return list.filter((expression) => seen.get(fingerprint(expression)) === expression);
}
