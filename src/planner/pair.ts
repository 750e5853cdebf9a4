import type { Column } from '../base/schema.ts';
import { ident, raw } from '../base/sql.ts';
import { columnPath, columnRef, isExpression, replace, type Expression } from './ast.ts';
import { checkExpression } from './check.ts';
import type { QueryContext } from './context.ts';
import { print } from './expressions.ts';
import { standIn, type Gathered, type Mentioned } from './gather.ts';
import type { PlanColumn, TimeAttribute } from './plan-columns.ts';
import { Scope, type Relation } from './scope.ts';

/** The two sides of a join that becomes a node of its own: in its SQL they are `$l` and `$r`. */
export interface Pair {
  readonly left: Gathered;
  readonly right: Gathered;
  readonly scope: Scope;
}

export function pairOf(left: Gathered, right: Gathered): Pair {
  return { left, right, scope: new Scope([...standIn(left, '$l', '$l'), ...standIn(right, '$r', '$r')]) };
}

/** A part of a join's condition. */
export interface PairCondition {
  /** Its columns spelled `$l.…` and `$r.…`. */
  readonly expression: Expression;
  readonly sql: string;
  /** What it compares, where it holds a value of one side against one of the other. */
  readonly compares: Compared | undefined;
}

export interface Compared {
  readonly left: Expression;
  readonly right: Expression;
  /** From left to right: `>=` of `r.ts <= l.ts`. */
  readonly operator: '=' | 'is not distinct from' | '<' | '<=' | '>' | '>=' | '<>';
}

const OPERATORS: Readonly<Record<string, Compared['operator']>> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOT_DISTINCT_FROM: 'is not distinct from',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
  COMPARE_NOTEQUAL: '<>',
};

const SWAPPED: Readonly<Partial<Record<Compared['operator'], Compared['operator']>>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

export async function pairConditions(
  context: QueryContext,
  pair: Pair,
  on: readonly Expression[],
): Promise<readonly PairCondition[]> {
  return Promise.all(
    on.map(async (condition) => {
      const expression = pair.scope.qualify(condition);
      checkExpression(context, expression);
      return { expression, sql: await print(context.service, expression), compares: compared(pair, expression) };
    }),
  );
}

export const allOf = (conditions: readonly PairCondition[]): string =>
  conditions.map((condition) => condition.sql).join(' AND ') || 'true';

function compared(pair: Pair, expression: Expression): Compared | undefined {
  const operator = OPERATORS[expression.type];
  const [left, right] = [expression['left'], expression['right']];
  if (operator === undefined || !isExpression(left) || !isExpression(right)) return undefined;
  const [a, b] = [sideOf(pair, left), sideOf(pair, right)];
  if (a === '$l' && b === '$r') return { left, right, operator };
  if (a === '$r' && b === '$l') return { left: right, right: left, operator: SWAPPED[operator] ?? operator };
  return undefined;
}

/** The one side whose columns an expression reads; undefined where it reads both or none. */
function sideOf(pair: Pair, expression: Expression): string | undefined {
  const aliases = new Set(pair.scope.reads(expression).map((read) => read.relation.alias));
  const [only] = aliases;
  return aliases.size === 1 ? only : undefined;
}

/** What rows are matched by: an expression over the own columns of each side, of one type. */
export interface PairKey {
  readonly of: Compared;
  readonly left: string;
  readonly right: string;
  /** The attribute of a key that is the same window's column on both sides. */
  readonly time: TimeAttribute | undefined;
}

/** The key of an equality. One that NULLs satisfy becomes an equality of structs, in which NULL equals NULL. */
export async function pairKey(context: QueryContext, pair: Pair, equality: Compared): Promise<PairKey> {
  const sides = [equality.left, equality.right];
  const [l = '', r = ''] = await Promise.all(sides.map((side) => print(context.service, side)));
  const [a, b, both] = await context.service.describe(
    raw(`SELECT ${l} AS a, ${r} AS b, coalesce(${l}, ${r}) AS c FROM ${boundPair(pair)}`),
  );
  const bare = await Promise.all(sides.map((side) => print(context.service, withoutAlias(side))));
  const alike = a?.type === b?.type;
  const nulls = equality.operator === 'is not distinct from';
  const [left = '', right = ''] = bare.map((sql) => {
    const typed = alike ? sql : `CAST(${sql} AS ${both?.type ?? ''})`;
    return nulls ? `struct_pack(k := ${typed})` : typed;
  });
  const times = sides.map((side) => pair.scope.plainColumn(side)?.column.time);
  return { of: equality, left, right, time: commonTime(times[0], times[1]) };
}

function commonTime(a: TimeAttribute | undefined, b: TimeAttribute | undefined): TimeAttribute | undefined {
  if (a?.window === undefined || b?.window === undefined || a.clock !== b.clock) return undefined;
  return { ...a, after: a.after > b.after ? a.after : b.after };
}

/** Both sides over the empty tables, for binding. */
export const boundPair = (pair: Pair): string =>
  `plan.${ident(pair.left.node.id).text} AS "$l", plan.${ident(pair.right.node.id).text} AS "$r"`;

export const withoutAlias = (expression: Expression): Expression =>
  replace(expression, (node) => {
    const path = columnPath(node);
    return path[0] === '$l' || path[0] === '$r' ? columnRef(...path.slice(1)) : undefined;
  }) as Expression;

export interface PairOutputs {
  /** `of`: the column that it is made of. */
  readonly outputs: readonly { readonly name: string; readonly sql: string; readonly of: readonly [string, string] }[];
  readonly relations: Gathered['relations'];
  /** By output, the left column that it is. */
  readonly leftColumns: ReadonlyMap<string, PlanColumn>;
  /** The left side's columns that are given. */
  readonly leftUses: ReadonlySet<string>;
}

/** Every column that the query mentions, once. `right` wraps a column of the right side. */
export function pairOutputs(
  pair: Pair,
  mentioned: Mentioned,
  right: (column: string) => string = (column) => column,
): PairOutputs {
  const outputs: { name: string; sql: string; of: readonly [string, string] }[] = [];
  const leftColumns = new Map<string, PlanColumn>();
  const give = (gathered: Gathered, alias: '$l' | '$r'): Gathered['relations'] => {
    const given = new Map<string, string>();
    return gathered.relations.map(({ relation, names }) => ({
      relation,
      names: names.map((name, i) => {
        if (name === undefined || !isMentioned(mentioned, relation, i)) return undefined;
        const known = given.get(name);
        if (known !== undefined) return known;
        const fresh = `$c${outputs.length}`;
        const column = ident(alias, name).text;
        outputs.push({ name: fresh, sql: alias === '$l' ? column : right(column), of: [alias, name] });
        given.set(name, fresh);
        const source = gathered.node.columns.find((candidate) => candidate.name === name);
        if (alias === '$l' && source !== undefined) leftColumns.set(fresh, source);
        return fresh;
      }),
    }));
  };
  const relations = [...give(pair.left, '$l'), ...give(pair.right, '$r')];
  const [first] = pair.left.node.columns;
  // A relation has a column, even where the query reads none.
  if (outputs.length === 0 && first !== undefined) {
    outputs.push({ name: '$c0', sql: ident('$l', first.name).text, of: ['$l', first.name] });
    leftColumns.set('$c0', first);
  }
  const leftUses = new Set([...leftColumns.values()].map((column) => column.name));
  return { outputs, relations, leftColumns, leftUses };
}

const isMentioned = (mentioned: Mentioned, relation: Relation, i: number): boolean =>
  mentioned === undefined || mentioned.has(relation.columns[i]?.name.toLowerCase() ?? '');

/** The columns of one side that an expression reads. */
export function readsOf(pair: Pair, alias: '$l' | '$r', expressions: readonly Expression[]): readonly string[] {
  return pair.scope
    .reads(expressions)
    .filter((read) => read.relation.alias === alias)
    .map((read) => read.column.name);
}

/** The output columns with their types. */
export async function describeOutputs(
  context: QueryContext,
  pair: Pair,
  outputs: PairOutputs['outputs'],
): Promise<readonly PlanColumn[]> {
  const list = outputs.map((output) => `${output.sql} AS ${ident(output.name).text}`).join(', ');
  return context.service.describe(raw(`SELECT ${list} FROM ${boundPair(pair)}`));
}

/** Types in which rows that compare as equal may look different. */
const HIDES_DIFFERENCES = /\b(DOUBLE|FLOAT|INTERVAL)\b/;

/** An ORDER BY in which the last row by all of its columns comes first: NULL is the least. */
export function lastFirst(alias: string, columns: readonly PlanColumn[]): string {
  const cells = columns.map((column) => ({ sql: ident(alias, column.name).text, type: column.type }));
  const parts = cells.map(({ sql }) => `${sql} DESC NULLS LAST`);
  const looks = cells.filter(({ type }) => HIDES_DIFFERENCES.test(type));
  return [...parts, ...looks.map(({ sql }) => `CAST(${sql} AS VARCHAR) DESC NULLS LAST`)].join(', ');
}

/** `$k0`… with their types. */
export async function describeKeys(
  context: QueryContext,
  pair: Pair,
  keys: readonly PairKey[],
): Promise<readonly Column[]> {
  if (keys.length === 0) return [];
  const list = keys.map((key, i) => `${key.right} AS ${ident(`$k${i}`).text}`).join(', ');
  return context.service.describe(raw(`SELECT ${list} FROM plan.${ident(pair.right.node.id).text}`));
}
