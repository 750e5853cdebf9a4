import { sameName } from '../base/schema.ts';
import { columnPath, expressions, isNode, text, type AstNode, type Expression } from './ast.ts';
import { newDemand, refuse, type QueryContext, type Relational } from './context.ts';
import type { PlanColumn, Window, WindowNode } from './plan.ts';

/** The arguments of `HOP(t, ts, slide, size)` and its like, by position or by name. */
const SIGNATURES: Readonly<Record<string, readonly string[]>> = {
  tumble: ['data', 'timecol', 'size'],
  hop: ['data', 'timecol', 'slide', 'size'],
};
/** window_time is the last millisecond of the window, as in Flink. Microseconds. */
export const WINDOW_TIME_BEFORE_END = 1000n;

export const WINDOW_FUNCTIONS: ReadonlySet<string> = new Set(['tumble', 'hop', 'session', 'cumulate']);

export interface WindowCall {
  readonly shape: 'tumble' | 'hop';
  /** The relation, as an expression: a column reference that names it, or a subquery. Absent in the grouping form. */
  readonly data: Expression | undefined;
  readonly column: Expression;
  readonly slide: bigint;
  readonly size: bigint;
}

/** Reads a call, in FROM (`withData`) or in GROUP BY. Refuses what is no TUMBLE or HOP, and sizes that are not constant. */
export async function readWindowCall(context: QueryContext, call: AstNode, withData: boolean): Promise<WindowCall> {
  const name = text(call['function_name']).toLowerCase();
  if (name !== 'tumble' && name !== 'hop') {
    throw refuse(context, call, `${name.toUpperCase()} windows are not supported yet`, 'use TUMBLE or HOP');
  }
  const names = (SIGNATURES[name] ?? []).slice(withData ? 0 : 1);
  const found = matchArguments(context, call, names);
  const need = (argument: string): Expression => {
    const value = found.get(argument);
    if (value === undefined) {
      throw refuse(
        context,
        call,
        `${name.toUpperCase()} lacks its ${argument}`,
        `write ${name.toUpperCase()}(${names.join(', ')})`,
      );
    }
    return value;
  };
  const size = await span(context, need('size'), name);
  const slide = name === 'hop' ? await span(context, need('slide'), name) : size;
  return { shape: name, data: withData ? need('data') : undefined, column: need('timecol'), slide, size };
}

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
  const interval = await context.service.interval(expression);
  if (interval === undefined) throw refuse(context, expression, `${name.toUpperCase()} takes constant intervals`);
  if (interval.months !== 0) {
    throw refuse(context, expression, 'windows of months are not supported: months differ in length', 'use days');
  }
  if (interval.micros <= 0n) throw refuse(context, expression, 'a window is longer than nothing');
  return interval.micros;
}

/** The node that assigns windows to the rows of `input`. */
export async function windowNode(context: QueryContext, input: Relational, call: WindowCall): Promise<WindowNode> {
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
  const id = context.nextId('window');
  const window: Window = {
    shape: call.slide === call.size ? 'tumble' : call.shape,
    column: column.name,
    zoned: column.type !== 'TIMESTAMP',
    slide: call.slide,
    size: call.size,
    time: column.time,
  };
  const added = windowColumns(window, id, column.type);
  // Of a window over windows the new window's columns hide the old ones.
  const kept = input.columns.filter((old) => !added.some((fresh) => sameName(fresh.name, old.name)));
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

/**
 * A window [s, e) is complete when no row yet to come lies in it. Rows yet to come have v + after > watermark, that is
 * v >= watermark - after + 1, so the window is complete at watermark >= e + after - 1.
 */
function windowColumns(window: Window, id: string, type: string): readonly PlanColumn[] {
  const attribute = (beyondEnd: bigint): Partial<PlanColumn> => {
    if (window.time === undefined) return {};
    const late = window.time.after > 0n ? window.time.after - 1n : 0n;
    return { time: { after: beyondEnd + late, clock: window.time.clock, window: id } };
  };
  return [
    { name: 'window_start', type, ...attribute(window.size) },
    { name: 'window_end', type, ...attribute(0n) },
    { name: 'window_time', type, ...attribute(WINDOW_TIME_BEFORE_END) },
  ];
}

/** The grouping form: TUMBLE_START and its like, and which window column each means. */
export function groupingColumn(node: AstNode): string | undefined {
  if (node['class'] !== 'FUNCTION' || !isNode(node['order_bys'])) return undefined;
  const match = /^(tumble|hop)(?:_(start|end|rowtime|time|proctime))?$/.exec(text(node['function_name']).toLowerCase());
  if (match === null) return undefined;
  return { start: 'window_start', end: 'window_end' }[match[2] ?? 'start'] ?? 'window_time';
}
