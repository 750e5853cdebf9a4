import { ident, raw } from '../base/sql.ts';
import {
  columnRef,
  expressions,
  fingerprint,
  isExpression,
  isNode,
  nodes,
  replace,
  text,
  walk,
  type AstNode,
  type Expression,
  type Json,
} from './ast.ts';
import { aggregateKind, mergeOf } from './aggregate-functions.ts';
import { newDemand, refuse, type Relational } from './context.ts';
import { demandIdentity, demandWatermark, identityColumns } from './demand.ts';
import { print } from './expressions.ts';
import type {
  AggregateCall,
  AggregateKey,
  AggregateNode,
  PlanColumn,
  SelectNode,
  TimeAttribute,
  WindowNode,
} from './plan.ts';
import { Scope, type Relation } from './scope.ts';
import { selectNode, type Block, type Item } from './select.ts';

/** Compiles a grouped block. `all`: GROUP BY ALL, the items without an aggregate are the keys. */
export async function compileAggregate(block: Block, all: boolean): Promise<Relational> {
  const { context } = block;
  const groups = all
    ? block.items.map((item) => item.expression).filter((item) => !hasAggregate(block, item))
    : block.groups;
  const groupKeys = distinct(groups.filter((group) => group.class !== 'CONSTANT'));
  const found = aggregatesOf(block);
  const own = ownWindow(block, groupKeys, found);
  const narrowed = own === undefined ? block : overInput(block, own);
  const inputColumns = new InputColumns(
    own === undefined ? groupKeys : groupKeys.map((key) => (windowRole(own, key) === 'plain' ? key : undefined)),
  );
  const identity = block.from.scope.relations
    .flatMap((relation) =>
      relation.input === undefined
        ? []
        : identityColumns(own !== undefined && relation.input.node === own.node ? own.node.input : relation.input.node),
    )
    .map((_, i) => `$i${i}`);
  const shaped = found.map((call) => shapeCall(block, call, inputColumns, identity));
  if (own !== undefined) inputColumns.add('$t', columnRef(own.relation.alias, own.node.window.column));
  const input = await selectNode(narrowed, inputColumns.items, 'rows');
  if (shaped.some((call) => call.ordered)) demandIdentity(input);

  const timeType = own?.node.columns.find((column) => column.name === 'window_start')?.type ?? '';
  const keys: AggregateKey[] = groupKeys.map((key, i) => {
    const role = own === undefined ? 'plain' : windowRole(own, key);
    const type = role === 'plain' ? (input.columns.find((column) => column.name === `$k${i}`)?.type ?? '') : timeType;
    return { name: `$k${i}`, type, role };
  });
  const times = groupKeys.map(
    (key, i) => timeOf(block, own, key) ?? input.columns.find((column) => column.name === `$k${i}`)?.time,
  );
  const close = closing(own, keys, times);
  refuseUnclosed(block, close, keys);
  if (close !== undefined && close.clock === 'event') demandWatermark(input);
  const calls = await finishCalls(block, shaped, input);
  const substitute = (expression: Expression): Expression => substituteKeys(block, expression, groupKeys, found);
  const outputs = await Promise.all(
    block.items.map(async (item) => ({
      name: item.name,
      sql: await print(context.service, substitute(item.expression)),
    })),
  );
  const having = block.having === undefined ? undefined : await print(context.service, substitute(block.having));
  const described = await describeOutputs(block, keys, calls, outputs);
  const closes =
    close === undefined
      ? undefined
      : times.find((time, i) => (own !== undefined ? time?.window === own.node.id : `$k${i}` === close.column))?.window;
  const columns: PlanColumn[] = described.map((column, i) => {
    const key = groupKeys.findIndex(
      (candidate) => fingerprint(candidate) === fingerprint(block.items[i]?.expression ?? null),
    );
    const time =
      context.emit === 'on-window-close' && closes !== undefined && times[key]?.window === closes
        ? times[key]
        : undefined;
    return time === undefined ? column : { ...column, time };
  });
  const id = context.nextId('aggregate');
  await context.service.declare(id, columns);
  const node: AggregateNode = {
    kind: 'aggregate', id, columns, appendOnly: context.emit === 'on-window-close', demand: newDemand(),
    input, keys, calls, outputs, having, emit: context.emit, window: own?.node.window, close,
  }; // prettier-ignore
  return { node, columns };
}

interface OwnWindow {
  readonly relation: Relation;
  readonly node: WindowNode;
}

/**
 * The window call in FROM that this aggregation can take over, by panes: the only stream of the block, whose window
 * columns are read as whole keys and nowhere else.
 */
function ownWindow(block: Block, keys: readonly Expression[], calls: readonly Expression[]): OwnWindow | undefined {
  const streams = block.from.scope.relations.filter(
    (relation) => relation.input !== undefined && relation.input.node.kind !== 'static',
  );
  const [relation] = streams;
  const node = relation?.input?.node;
  if (streams.length !== 1 || relation === undefined || node?.kind !== 'window' || block.from.opaque) return undefined;
  const own = { relation, node };
  const asKeys = keys.filter((key) => windowRole(own, key) !== 'plain');
  const elsewhere = [...keys.filter((key) => !asKeys.includes(key)), ...calls, ...block.conditions];
  const read = block.from.scope
    .reads(elsewhere as readonly Json[])
    .some((column) => column.relation === relation && isWindowColumn(column.column.name));
  return asKeys.length > 0 && !read ? own : undefined;

  function isWindowColumn(name: string): boolean {
    return /^window_(start|end|time)$/.test(name);
  }
}

function windowRole(own: OwnWindow, key: Expression): AggregateKey['role'] {
  const resolved = new Scope([own.relation]).plainColumn(key);
  switch (resolved?.column.name) {
    case 'window_start':
    case 'window_end':
    case 'window_time':
      return resolved.column.name;
    default:
      return 'plain';
  }
}

/** The block with the window's own input in the window's place. */
function overInput(block: Block, own: OwnWindow): Block {
  const relations = block.from.scope.relations.map((relation) =>
    relation !== own.relation || relation.input === undefined
      ? relation
      : { ...relation, columns: own.node.input.columns, input: { ...relation.input, node: own.node.input } },
  );
  return { ...block, from: { ...block.from, scope: new Scope(relations) } };
}

function timeOf(block: Block, own: OwnWindow | undefined, key: Expression): TimeAttribute | undefined {
  return own === undefined ? undefined : block.from.scope.plainColumn(key)?.column.time;
}

/** When a group is complete. Only window columns close anything: a plain event time groups, it does not refuse. */
function closing(
  own: OwnWindow | undefined,
  keys: readonly AggregateKey[],
  times: readonly (TimeAttribute | undefined)[],
): AggregateNode['close'] {
  if (own !== undefined) {
    const start = own.node.columns.find((column) => column.name === 'window_start')?.time;
    return start === undefined ? undefined : { column: '$w', after: start.after, clock: start.clock };
  }
  const at = times.findIndex((time) => time?.window !== undefined);
  const time = times[at];
  const key = keys[at];
  return time === undefined || key === undefined
    ? undefined
    : { column: key.name, after: time.after, clock: time.clock };
}

function refuseUnclosed(block: Block, close: AggregateNode['close'], keys: readonly AggregateKey[]): void {
  if (block.context.emit !== 'on-window-close' || close !== undefined) return;
  const windowed = keys.some((key) => key.role !== 'plain');
  throw refuse(
    block.context,
    block.context.root,
    windowed
      ? 'EMIT ON WINDOW CLOSE needs a watermark, and the time column of this window has none'
      : 'EMIT ON WINDOW CLOSE needs a window to close, and this GROUP BY has none',
    windowed
      ? 'declare in the source: WATERMARK FOR column AS column - INTERVAL …, and window on that column'
      : 'add window_start, window_end of TUMBLE or HOP to GROUP BY, or leave EMIT ON WINDOW CLOSE away',
  );
}

/** The columns that the aggregation's input projects: `$k…` keys, `$x…` arguments. */
class InputColumns {
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
}

function shapeCall(block: Block, call: Expression, input: InputColumns, identity: readonly string[]): ShapedCall {
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
  const picked = [...children.filter((child) => child.class === 'COLUMN_REF')];
  const isDistinct = call['distinct'] === true;
  const ordered = kind === 'ordered' || orders.length > 0;
  const total = isDistinct ? picked : [...identity.map((column) => columnRef(column)), ...picked];
  const shape = (added: readonly Expression[]): Expression => ({
    ...call,
    alias: '',
    children,
    filter: filter === undefined ? null : columnRef(filter),
    order_bys: { type: 'ORDER_MODIFIER', orders: [...orders, ...added.map(ascending)] },
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
  };
}

const ascending = (expression: Expression): AstNode => ({ type: 'ASCENDING', null_order: 'NULLS LAST', expression });

/** Constants, also negated, cast or in a list: quantile's second argument must stay one. */
function isConstant(expression: Expression): boolean {
  let constant = true;
  walk(expression, (node) => {
    if (node['class'] === 'COLUMN_REF' || node['class'] === 'LAMBDA') constant = false;
  });
  return constant;
}

async function finishCalls(
  block: Block,
  shaped: readonly ShapedCall[],
  input: SelectNode,
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
    if (!call.mergeable || (call.argument === undefined && constant !== undefined)) return undefined;
    const filter = call.filter === undefined ? undefined : ident(call.filter).text;
    return mergeOf(
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
    })),
  );
}

async function describeOutputs(
  block: Block,
  keys: readonly AggregateKey[],
  calls: readonly AggregateCall[],
  outputs: readonly { name: string; sql: string }[],
): Promise<readonly PlanColumn[]> {
  const state = [...keys, ...calls].map((column) => `CAST(NULL AS ${column.type}) AS ${ident(column.name).text}`);
  const list = outputs.map((output) => `${output.sql} AS ${ident(output.name).text}`).join(', ');
  return block.context.service.describe(raw(`SELECT ${list} FROM (SELECT ${state.join(', ') || '1'})`));
}

/** Keys and aggregates of an output expression as references to the group's columns. */
function substituteKeys(
  block: Block,
  expression: Expression,
  keys: readonly Expression[],
  calls: readonly Expression[],
): Expression {
  const keyNames = new Map(keys.map((key, i) => [fingerprint(key), `$k${i}`]));
  const callNames = new Map(calls.map((call, i) => [fingerprint(call), `$a${i}`]));
  return replace(expression, (node) => {
    if (!isExpression(node)) return undefined;
    const print = fingerprint(node);
    const name = keyNames.get(print) ?? callNames.get(print);
    if (name !== undefined) return { ...columnRef(name), alias: text(node['alias']) };
    const column = block.from.scope.plainColumn(node);
    if (column !== undefined) {
      throw refuse(block.context, node, `column ${column.column.name} must appear in GROUP BY or inside an aggregate`);
    }
    return undefined;
  }) as Expression;
}

function aggregatesOf(block: Block): readonly Expression[] {
  const found: Expression[] = [];
  const roots = [...block.items.map((item) => item.expression), ...(block.having === undefined ? [] : [block.having])];
  walk(roots, (node) => {
    if (!isAggregate(block, node)) return true;
    found.push(node as Expression);
    return false;
  });
  return distinct(found);
}

function hasAggregate(block: Block, expression: Expression): boolean {
  let found = false;
  walk(expression, (node) => {
    found ||= isAggregate(block, node);
  });
  return found;
}

const isAggregate = (block: Block, node: AstNode): boolean =>
  node['class'] === 'FUNCTION' &&
  node['is_operator'] !== true &&
  block.context.service.functionKind(text(node['function_name'])) === 'aggregate';

function distinct(list: readonly Expression[]): readonly Expression[] {
  const seen = new Map(list.toReversed().map((expression) => [fingerprint(expression), expression]));
  return list.filter((expression) => seen.get(fingerprint(expression)) === expression);
}
