import { StreamsqlError } from '../base/errors.ts';
import { ident, raw } from '../base/sql.ts';
import {
  aggregatesOf,
  distinct,
  finishCalls,
  hasAggregate,
  isConstant,
  InputColumns,
  shapeCall,
} from './aggregate-calls.ts';
import { closingKey } from './closing.ts';
import { cogroupNode } from './cogroup-node.ts';
import { columnRef, fingerprint, isExpression, ONE, replace, text, type Expression } from './ast.ts';
import type { Block } from './block.ts';
import { newDemand, refuse, type Lateness, type Relational } from './context.ts';
import { demandIdentity, demandWatermark, identityColumns, lateSources } from './demand.ts';
import { print } from './expressions.ts';
import { NeedsWhole } from './needs-whole.ts';
import { overInput, ownWindow, windowRole, type OwnWindow } from './own-window.ts';
import type { AggregateCall, AggregateKey, AggregateNode } from './plan-aggregate.ts';
import type { PlanColumn, TimeAttribute } from './plan-columns.ts';
import type { GateNode } from './plan-holding.ts';
import { selectNode } from './select-node.ts';

/** Compiles a grouped block. `all`: GROUP BY ALL, the items without an aggregate are the keys. */
export async function compileAggregate(block: Block, all: boolean): Promise<Relational> {
  const { context } = block;
  const groups = all
    ? block.items.map((item) => item.expression).filter((item) => !hasAggregate(block, item) && !isConstant(item))
    : block.groups;
  const varying = groups.filter((group) => group.class !== 'CONSTANT');
  // A group by a constant is there once there is a row; the one group without keys, as of GROUP BY ALL, before.
  const groupKeys = distinct(varying.length > 0 || all ? varying : groups.slice(0, 1));
  const found = aggregatesOf(block);
  const own = ownWindow(block, groupKeys, found);
  const narrowed = own === undefined ? block : overInput(block, own);
  const inputColumns = new InputColumns(
    own === undefined ? groupKeys : groupKeys.map((key) => (windowRole(own, key) === 'plain' ? key : undefined)),
  );
  const plain = block.from.scope.relations.every((relation) => relation.input?.node.appendOnly !== false);
  const identity = !plain
    ? []
    : block.from.scope.relations
        .flatMap((relation) =>
          relation.input === undefined
            ? []
            : identityColumns(
                own !== undefined && relation.input.node === own.node ? own.node.input : relation.input.node,
              ),
        )
        .map((_, i) => `$i${i}`);
  const shaped = found.map((call) => shapeCall(block, call, inputColumns, identity));
  if (own !== undefined) inputColumns.add('$t', columnRef(own.relation.alias, own.node.window.column));
  if (inputColumns.items.length === 0) inputColumns.add('$one', ONE);
  const input = await selectNode(narrowed, inputColumns.items, 'rows');
  if (plain && shaped.some((call) => call.ordered)) demandIdentity(input);

  const timeType = own?.node.columns.find((column) => column.name === 'window_start')?.type ?? '';
  const keys: AggregateKey[] = groupKeys.map((key, i) => {
    const role = own === undefined ? 'plain' : windowRole(own, key);
    const type = role === 'plain' ? (input.columns.find((column) => column.name === `$k${i}`)?.type ?? '') : timeType;
    return { name: `$k${i}`, type, role };
  });
  const times = groupKeys.map(
    (key, i) => timeOf(block, own, key) ?? input.columns.find((column) => column.name === `$k${i}`)?.time,
  );
  // Results that change give nothing for good, but of a window that is over they change no more.
  const settles = keys.map((key) => input.columns.find((column) => column.name === key.name)?.settles);
  const live = context.emit === 'changes' ? closing(undefined, keys, settles) : undefined;
  const close = plain ? closing(own, keys, times) : live;
  if (context.emit === 'on-window-close' && close === undefined) throw unclosed(block, plain, keys);
  if (close !== undefined && close.clock === 'event') demandWatermark(input);
  // The values that a group has had are kept where its rows are not: until it closes, if it does.
  const byValue = plain && context.emit === 'changes' && own?.node.window.shape !== 'hop';
  const calls = await finishCalls(block, shaped, input, byValue);
  const substitute = (expression: Expression): Expression => substituteKeys(block, expression, groupKeys, found);
  const outputs = await Promise.all(
    block.items.map(async (item) => ({
      name: item.name,
      sql: await print(context.service, substitute(item.expression)),
    })),
  );
  const having = block.having === undefined ? undefined : await print(context.service, substitute(block.having));
  const takesBack = calls.every((call) => call.merge !== undefined);
  if (!plain && !takesBack) return recomputedGroups(block, { input, keys, calls, outputs, having }, settles);
  if (context.lateness !== undefined && close !== undefined) {
    const shape = { input, keys, calls, outputs, having, window: own?.node.window, close };
    return corrected(block, shape, times, context.lateness);
  }
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
  const firsts = plain && context.emit === 'changes' && calls.length === 0 && keys.length > 0 && having === undefined;
  const id = context.nextId('aggregate');
  await context.service.declare(id, columns);
  const node: AggregateNode = {
    kind: 'aggregate', id, columns, appendOnly: firsts || context.emit === 'on-window-close', demand: newDemand(),
    input, weighted: !plain, firsts, keys, calls, outputs, having, emit: context.emit, window: own?.node.window, close,
  }; // prettier-ignore
  return { node, columns };
}

/** GROUP BY over a window that is corrected after its close: a live node that keeps groups longer, behind a gate. */
async function corrected(
  block: Block,
  shape: Pick<AggregateNode, 'input' | 'keys' | 'calls' | 'outputs' | 'having' | 'window'> &
    Required<Pick<GateNode, 'close'>>,
  times: readonly (TimeAttribute | undefined)[],
  lateness: Lateness,
): Promise<Relational> {
  const { context } = block;
  const { input, keys, calls, outputs, having, window, close } = shape;
  if (close.clock !== 'event' || lateSources(input).length === 0) {
    throw new StreamsqlError('UNSUPPORTED', 'ALLOWED LATENESS: no row that comes to this GROUP BY is ever late', {
      span: lateness.span,
      hint: 'leave it out, or group the rows of the source itself: joins and windows below it refuse late rows themselves',
    });
  }
  const at = keys.findIndex((key, i) => (window === undefined ? key.name === close.column : key.role !== 'plain' && times[i] !== undefined)); // prettier-ignore
  const closing = { name: '$close', sql: ident(keys[at]?.name ?? '').text };
  const columns = await describeOutputs(block, keys, calls, [...outputs, closing]);
  const id = context.nextId('aggregate');
  await context.service.declare(id, columns);
  const live: AggregateNode = {
    kind: 'aggregate', id, columns, appendOnly: false, demand: newDemand(), input, keys, calls, having, window,
    weighted: false, firsts: false, outputs: [...outputs, closing], emit: 'changes', close: { ...close, after: close.after + lateness.micros },
  }; // prettier-ignore
  const shown = columns.slice(0, -1);
  const gate = context.nextId('gate');
  await context.service.declare(gate, shown);
  const node: GateNode = {
    kind: 'gate', id: gate, columns: shown, appendOnly: false, demand: newDemand(), input: live,
    close: { column: closing.name, after: times[at]?.after ?? 0n, clock: close.clock }, lateness: lateness.micros,
  }; // prettier-ignore
  return { node, columns: shown };
}

/** GROUP BY over results that change, by aggregates that cannot take back: the touched groups are answered anew. */
function recomputedGroups(
  block: Block,
  group: Pick<AggregateNode, 'input' | 'keys' | 'calls' | 'outputs' | 'having'>,
  settles: readonly (TimeAttribute | undefined)[],
): Promise<Relational> {
  const { input, keys, calls, outputs, having } = group;
  const placeholder = block.context.nextId('$in');
  const names = keys.map((key) => ident(key.name).text);
  const results = calls.map((call) => `${call.sql} AS ${ident(call.name).text}`);
  const grouped = names.length === 0 ? '' : ` GROUP BY ${names.join(', ')}`;
  const groups = `SELECT ${[...names, ...results].join(', ')} FROM ${ident(placeholder).text}${grouped}`;
  const list = outputs.map((output) => `${output.sql} AS ${ident(output.name).text}`);
  const kept = having === undefined ? '' : ` WHERE ${having}`;
  return cogroupNode(block.context, {
    title: 'groupBy-reduce',
    inputs: [
      {
        placeholder,
        node: input,
        uses: input.columns.map((column) => column.name).filter((name) => !keys.some((key) => key.name === name)),
        keys: names,
      },
    ],
    body: `SELECT ${[...list, ...names].join(', ')} FROM (${groups})${kept}`,
    keyTimes: keys.map(() => undefined),
    keySettles: settles,
    keyOutputs: new Map(),
    at: block.context.root,
  });
}

function timeOf(block: Block, own: OwnWindow | undefined, key: Expression): TimeAttribute | undefined {
  return own === undefined ? undefined : block.from.scope.plainColumn(key)?.column.time;
}

/** When a group is complete. */
function closing(
  own: OwnWindow | undefined,
  keys: readonly AggregateKey[],
  times: readonly (TimeAttribute | undefined)[],
): AggregateNode['close'] {
  if (own !== undefined) {
    const start = own.node.columns.find((column) => column.name === 'window_start')?.time;
    return start === undefined ? undefined : { column: '$w', after: start.after, clock: start.clock };
  }
  const at = closingKey(times);
  const time = times[at];
  const key = keys[at];
  return time === undefined || key === undefined
    ? undefined
    : { column: key.name, after: time.after, clock: time.clock };
}

function unclosed(block: Block, plain: boolean, keys: readonly AggregateKey[]): StreamsqlError {
  const { emitSpan: span, root } = block.context;
  const at = (message: string, hint: string): StreamsqlError =>
    span === undefined
      ? refuse(block.context, root, message, hint)
      : new StreamsqlError('UNSUPPORTED', message, { span, hint });
  if (!plain) {
    return at(
      'EMIT ON WINDOW CLOSE: what this GROUP BY reads changes, so no group is ever final',
      'leave EMIT ON WINDOW CLOSE away, or let what it reads emit on window close',
    );
  }
  const windowed = keys.some((key) => key.role !== 'plain');
  const isDistinct = block.from.scope.relations.some((relation) => relation.alias === '$d');
  const what = isDistinct
    ? 'this DISTINCT or UNION'
    : /\bgroup\s+by\b/i.test(block.context.text.text)
      ? 'this GROUP BY'
      : 'this aggregate';
  const message = windowed
    ? 'EMIT ON WINDOW CLOSE needs a watermark, and the time column of this window has none'
    : `EMIT ON WINDOW CLOSE needs a window to close, and ${what} has none`;
  const hint = windowed
    ? 'declare in the source: WATERMARK FOR column AS column - INTERVAL …, and window on that column'
    : `${isDistinct ? 'select window_start or window_end too' : 'add window_start, window_end of TUMBLE or HOP to GROUP BY'}, or leave EMIT ON WINDOW CLOSE away`;
  return at(message, hint);
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
      // A scalar subquery beside the aggregates: it is no key, and the same for every group.
      const { alias } = column.relation;
      const scalars = block.from.scope.relations.filter((relation) => relation.qualifiedOnly === true);
      if (scalars.some((scalar) => scalar.within?.relation.alias === alias)) throw new NeedsWhole();
      throw refuse(block.context, node, `column ${column.column.name} must appear in GROUP BY or inside an aggregate`);
    }
    return undefined;
  }) as Expression;
}
