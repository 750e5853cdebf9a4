import { columnPath, expressions, isNode, text, type AstNode, type Expression } from './ast.ts';
import { newDemand, refuse, type QueryContext, type Relational } from './context.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { Window, WindowNode } from './plan-windows.ts';

interface Signature {
  /** By position or by name. */
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** Which arguments are the call's slide and size. */
  readonly slide: string;
  readonly size: string;
  /** Whether it may stand in GROUP BY, where it has no data. */
  readonly groups: boolean;
}

const SIGNATURES: Readonly<Record<WindowCall['shape'], Signature>> = {
  tumble: { required: ['data', 'timecol', 'size'], optional: ['offset'], slide: 'size', size: 'size', groups: true },
  hop: {
    required: ['data', 'timecol', 'slide', 'size'],
    optional: ['offset'],
    slide: 'slide',
    size: 'size',
    groups: true,
  },
  session: {
    required: ['data', 'timecol', 'gap'],
    optional: ['partition_by'],
    slide: 'gap',
    size: 'gap',
    groups: true,
  },
  cumulate: {
    required: ['data', 'timecol', 'step', 'size'],
    optional: ['offset'],
    slide: 'step',
    size: 'size',
    groups: false,
  },
};
/** window_time is the last millisecond of the window, as in Flink. Microseconds. */
export const WINDOW_TIME_BEFORE_END = 1000n;

export const WINDOW_FUNCTIONS: ReadonlySet<string> = new Set(['tumble', 'hop', 'session', 'cumulate']);

export interface WindowCall {
  readonly shape: 'tumble' | 'hop' | 'session' | 'cumulate';
  /** The call itself, for pointing at it. */
  readonly call: AstNode;
  /** The relation, as an expression: a column reference that names it, or a subquery. Absent in the grouping form. */
  readonly data: Expression | undefined;
  readonly column: Expression;
  /** Microseconds; the step of CUMULATE, the gap of SESSION. */
  readonly slide: bigint;
  /** Microseconds; the gap of SESSION. */
  readonly size: bigint;
  /**
   * Microseconds that the windows are moved by, from 0 to below what they repeat after: the slide, for CUMULATE the size.
   */
  readonly offset: bigint;
  /** What SESSION in FROM lists. In the grouping form it is empty: there the other keys of GROUP BY partition. */
  readonly partitionBy: readonly Expression[];
}

/** Reads a call, in FROM (`withData`) or in GROUP BY. Refuses arguments that it does not take, and sizes that are not constant. */
export async function readWindowCall(context: QueryContext, call: AstNode, withData: boolean): Promise<WindowCall> {
  const shape = shapeOf(context, call);
  const name = shape.toUpperCase();
  const signature = SIGNATURES[shape];
  if (!withData && !signature.groups) {
    const hint = `write FROM ${name}(${signature.required.join(', ')}) GROUP BY window_start, window_end`;
    throw refuse(context, call, `${name} stands in FROM, not in GROUP BY`, hint);
  }
  const inForm = (names: readonly string[]): readonly string[] =>
    withData ? names : names.filter((argument) => argument !== 'data' && argument !== 'partition_by');
  const required = inForm(signature.required);
  const found = matchArguments(context, call, [...required, ...inForm(signature.optional)]);
  const need = (argument: string): Expression => {
    const value = found.get(argument);
    if (value === undefined) {
      throw refuse(context, call, `${name} lacks its ${argument}`, `write ${name}(${required.join(', ')})`);
    }
    return value;
  };
  const size = await span(context, need(signature.size), name);
  const slide = signature.slide === signature.size ? size : await span(context, need(signature.slide), name);
  if (shape === 'cumulate' && size % slide !== 0n) {
    throw refuse(context, need('size'), 'the size of CUMULATE is a multiple of its step');
  }
  const moved = found.get('offset');
  return {
    shape,
    call,
    data: withData ? need('data') : undefined,
    column: need('timecol'),
    slide,
    size,
    offset: moved === undefined ? 0n : modulo(await micros(context, moved, name), shape === 'cumulate' ? size : slide),
    partitionBy: keysOf(found.get('partition_by')),
  };
}

function shapeOf(context: QueryContext, call: AstNode): WindowCall['shape'] {
  const name = text(call['function_name']).toLowerCase();
  if (name === 'tumble' || name === 'hop' || name === 'session' || name === 'cumulate') return name;
  throw refuse(context, call, `there are no ${name.toUpperCase()} windows`, 'use TUMBLE or HOP');
}

/** `[a, b]` as a and b; what is no list is one key. */
function keysOf(list: Expression | undefined): readonly Expression[] {
  if (list === undefined) return [];
  return text(list['function_name']) === 'list_value' ? expressions(list['children']) : [{ ...list, alias: '' }];
}

const modulo = (value: bigint, by: bigint): bigint => ((value % by) + by) % by;

function matchArguments(context: QueryContext, call: AstNode, names: readonly string[]): Map<string, Expression> {
  const found = new Map<string, Expression>();
  expressions(call['children']).forEach((child, i) => {
    const label = text(child['alias']).toLowerCase();
    const name = label === '' ? names[i] : names.find((candidate) => candidate === label);
    if (name === undefined || found.has(name)) {
      const what = label === '' ? 'this many arguments' : `an argument ${label}`;
      throw refuse(
        context,
        child,
        `${text(call['function_name']).toUpperCase()} does not take ${what}`,
        `it takes ${names.join(', ')}`,
      );
    }
    found.set(name, child);
  });
  return found;
}

async function span(context: QueryContext, expression: Expression, name: string): Promise<bigint> {
  const length = await micros(context, expression, name);
  if (length <= 0n) throw refuse(context, expression, 'a window is longer than nothing');
  return length;
}

async function micros(context: QueryContext, expression: Expression, name: string): Promise<bigint> {
  const interval = await context.service.interval(expression);
  if (interval === undefined)
    throw refuse(context, expression, `${name} takes constant intervals`, "write INTERVAL '10 seconds'");
  if (interval.months !== 0) {
    throw refuse(context, expression, 'windows of months are not supported: months differ in length', 'use days');
  }
  return interval.micros;
}

/** The column that a window is on. */
export function timeColumn(context: QueryContext, input: Relational, call: WindowCall): PlanColumn {
  if (input.node.kind === 'static') {
    const message = `${call.shape.toUpperCase()} takes a source, a table or a view, and this table does not change`;
    throw refuse(context, call.call, message, 'compute its windows with time_bucket(size, ts)');
  }
  const wanted = columnPath(call.column).at(-1) ?? '';
  const column = input.columns.find((candidate) => candidate.name.toLowerCase() === wanted.toLowerCase());
  if (column === undefined || call.column.type !== 'COLUMN_REF') {
    throw refuse(
      context,
      call.column,
      'the time of a window is a column of its table',
      'compute it in the source: t AS expression',
    );
  }
  if (!/^TIMESTAMP( WITH TIME ZONE)?$/.test(column.type)) {
    throw refuse(
      context,
      call.column,
      `a window needs a TIMESTAMP column; ${column.name} is ${column.type}`,
      'cast it in the source',
    );
  }
  return column;
}

/** The node that assigns windows to the rows of `input`. */
export async function windowNode(
  context: QueryContext,
  input: Relational,
  call: WindowCall & { readonly shape: Window['shape'] },
): Promise<WindowNode> {
  const column = timeColumn(context, input, call);
  const id = context.nextId('window');
  const window: Window = {
    shape: call.slide === call.size ? 'tumble' : call.shape,
    column: column.name,
    zoned: column.type !== 'TIMESTAMP',
    slide: call.slide,
    size: call.size,
    offset: call.offset,
    time: column.time,
  };
  const added = windowColumns(window, id, column.type);
  const kept = withoutWindow(input.columns);
  const columns = [...kept, ...added];
  await context.service.declare(id, columns);
  return {
    kind: 'window',
    id,
    columns,
    appendOnly: input.node.appendOnly,
    demand: newDemand(),
    input: input.node,
    window,
  };
}

/** Of a window over windows the new window's columns hide the old ones. */
export const withoutWindow = (columns: readonly PlanColumn[]): readonly PlanColumn[] =>
  columns.filter((column) => !/^window_(start|end|time)$/i.test(column.name));

/**
 * A window [s, e) is complete when no row yet to come lies in it. Rows yet to come have v + after > watermark, that is
 * v >= watermark - after + 1, so the window is complete at watermark >= e + after - 1.
 */
function windowColumns(window: Window, id: string, type: string): readonly PlanColumn[] {
  const attribute = (beyondEnd: bigint, name = id): Partial<PlanColumn> => {
    if (window.time === undefined) return {};
    const late = window.time.after > 0n ? window.time.after - 1n : 0n;
    return { time: { after: beyondEnd + late, clock: window.time.clock, window: name } };
  };
  // The windows of CUMULATE that begin together do not close together.
  const beginning = window.shape === 'cumulate' ? `${id}$start` : id;
  return [
    { name: 'window_start', type, ...attribute(window.size, beginning) },
    { name: 'window_end', type, ...attribute(0n) },
    { name: 'window_time', type, ...attribute(WINDOW_TIME_BEFORE_END) },
  ];
}

/** The grouping form: TUMBLE_START and its like, and which window column each means. */
export function groupingColumn(node: AstNode): string | undefined {
  if (node['class'] !== 'FUNCTION' || !isNode(node['order_bys'])) return undefined;
  const match = /^(tumble|hop|session)(?:_(start|end|rowtime|time|proctime))?$/.exec(
    text(node['function_name']).toLowerCase(),
  );
  if (match === null) return undefined;
  return { start: 'window_start', end: 'window_end' }[match[2] ?? 'start'] ?? 'window_time';
}
