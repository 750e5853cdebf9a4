import { expressions, isExpression, text, type Expression } from './ast.ts';
import type { QueryContext } from './context.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { JoinBounds } from './plan-joins.ts';
import type { Relation, Scope } from './scope.ts';

/**
 * How far apart in time the rows of a match can be, read off the conditions of a join: each `a.ts <= b.ts + INTERVAL …`
 * is an edge of a graph over the time columns, and the shortest paths between them are the bounds.
 */
export async function joinBounds(
  context: QueryContext,
  scope: Scope,
  conditions: readonly Expression[],
  streams: readonly Relation[],
): Promise<JoinBounds | undefined> {
  const graph = new DifferenceGraph(streams);
  for (const condition of conditions) {
    for (const [low, high] of await orders(context, condition)) {
      const [a, b] = [await linear(context, scope, low), await linear(context, scope, high)];
      // a.column + a.shift <= b.column + b.shift, that is: a.column - b.column <= b.shift - a.shift
      if (a !== undefined && b !== undefined) graph.atMost(b.key, a.key, b.shift - a.shift);
    }
  }
  graph.close();
  return graph.choose();
}

/** The time attributes that each stream's columns keep in the join's output. */
export function joinedColumns(
  relation: Relation,
  index: number,
  bounds: JoinBounds | undefined,
): readonly PlanColumn[] {
  const chosen = relation.columns.find((column) => column.name === bounds?.columns[index]);
  return relation.columns.map((column) => {
    const { time, ...plain } = column;
    if (bounds === undefined || chosen?.time === undefined || time === undefined) return plain;
    const sibling = column === chosen || (time.window !== undefined && time.window === chosen.time.window);
    if (!sibling) return plain;
    const after = bounds.after.reduce((most, other, j) => {
      const reached = j === index ? other : other + (bounds.reach[index]?.[j] ?? 0n);
      return reached > most ? reached : most;
    }, chosen.time.after);
    return { ...plain, time: { ...time, after: time.after + after - chosen.time.after } };
  });
}

const key = (alias: string, column: string): string => `${alias}\u0000${column}`.toLowerCase();

class DifferenceGraph {
  private readonly streams: readonly Relation[];
  private readonly names: readonly string[];
  /** `most[i][j]`: the most that column j can exceed column i. */
  private readonly most: (bigint | undefined)[][];

  constructor(streams: readonly Relation[]) {
    this.streams = streams;
    const columns = streams.flatMap((stream) =>
      stream.columns.filter((column) => column.time !== undefined).map((column) => ({ stream, column })),
    );
    this.names = columns.map(({ stream, column }) => key(stream.alias, column.name));
    this.most = columns.map((from, i) =>
      columns.map((to, j) => {
        if (i === j) return 0n;
        const [a, b] = [from.column.time, to.column.time];
        const siblings = from.stream === to.stream && a?.window !== undefined && a.window === b?.window;
        return siblings && a !== undefined && b !== undefined ? a.after - b.after : undefined;
      }),
    );
  }

  /** column(to) - column(from) <= difference */
  atMost(from: string, to: string, difference: bigint): void {
    const [i, j] = [this.names.indexOf(from), this.names.indexOf(to)];
    const row = this.most[i];
    if (row === undefined || j < 0) return;
    const known = row[j];
    if (known === undefined || difference < known) row[j] = difference;
  }

  close(): void {
    const n = this.names.length;
    for (let k = 0; k < n; k++) {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          const [head, tail] = [this.most[i]?.[k], this.most[k]?.[j]];
          if (head === undefined || tail === undefined) continue;
          const known = this.most[i]?.[j];
          const row = this.most[i];
          if (row !== undefined && (known === undefined || head + tail < known)) row[j] = head + tail;
        }
      }
    }
  }

  /** One time column of each stream such that each is within reach of every other, both ways. */
  choose(): JoinBounds | undefined {
    const [first, ...others] = this.streams;
    for (const candidate of first === undefined ? [] : this.columnsOf(first)) {
      const chosen = [candidate];
      for (const stream of others) {
        const near = this.columnsOf(stream).find((column) =>
          chosen.every((other) => this.near(column.index, other.index)),
        );
        if (near !== undefined) chosen.push(near);
      }
      const clock = candidate.column.time?.clock;
      if (chosen.length !== this.streams.length || clock === undefined) continue;
      if (chosen.some((column) => column.column.time?.clock !== clock)) continue;
      return {
        clock,
        after: chosen.map((column) => column.column.time?.after ?? 0n),
        columns: chosen.map((column) => column.column.name),
        reach: chosen.map((from) => chosen.map((to) => this.most[from.index]?.[to.index] ?? 0n)),
      };
    }
    return undefined;
  }

  private near(a: number, b: number): boolean {
    return this.most[a]?.[b] !== undefined && this.most[b]?.[a] !== undefined;
  }

  private columnsOf(stream: Relation): readonly { index: number; column: PlanColumn }[] {
    return stream.columns
      .map((column) => ({ index: this.names.indexOf(key(stream.alias, column.name)), column }))
      .filter(({ index }) => index >= 0);
  }
}

/** The pairs `low <= high` that a condition says. */
async function orders(
  _context: QueryContext,
  condition: Expression,
): Promise<readonly (readonly [Expression, Expression])[]> {
  if (condition.type === 'COMPARE_BETWEEN') {
    const [input, lower, upper] = [condition['input'], condition['lower'], condition['upper']];
    return isExpression(input) && isExpression(lower) && isExpression(upper) ? [[lower, input], [input, upper]] : []; // prettier-ignore
  }
  const [left, right] = [condition['left'], condition['right']];
  if (!isExpression(left) || !isExpression(right)) return [];
  switch (condition.type) {
    case 'COMPARE_EQUAL':
    case 'COMPARE_NOT_DISTINCT_FROM':
      return [[left, right], [right, left]]; // prettier-ignore
    case 'COMPARE_LESSTHAN':
    case 'COMPARE_LESSTHANOREQUALTO':
      return [[left, right]];
    case 'COMPARE_GREATERTHAN':
    case 'COMPARE_GREATERTHANOREQUALTO':
      return [[right, left]];
    default:
      return [];
  }
}

/** `column ± constant interval`, in microseconds; undefined for every other shape, and for months. */
async function linear(
  context: QueryContext,
  scope: Scope,
  expression: Expression,
): Promise<{ key: string; shift: bigint } | undefined> {
  const column = scope.plainColumn(expression);
  if (column !== undefined) return { key: key(column.relation.alias, column.column.name), shift: 0n };
  const operator = text(expression['function_name']);
  const [left, right] = expressions(expression['children']);
  if (expression.class !== 'FUNCTION' || left === undefined || right === undefined) return undefined;
  if (operator !== '+' && operator !== '-') return undefined;
  const base = await linear(context, scope, left);
  if (base === undefined) {
    const swapped = operator === '+' ? await linear(context, scope, right) : undefined;
    return swapped === undefined ? undefined : shifted(context, swapped, left, 1n);
  }
  return shifted(context, base, right, operator === '+' ? 1n : -1n);
}

async function shifted(
  context: QueryContext,
  base: { key: string; shift: bigint },
  by: Expression,
  sign: bigint,
): Promise<{ key: string; shift: bigint } | undefined> {
  const interval = await context.service.interval(by);
  if (interval === undefined || interval.months !== 0) return undefined;
  return { key: base.key, shift: base.shift + sign * interval.micros };
}
