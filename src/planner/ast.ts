/**
 * DuckDB's own parse tree, as `json_serialize_sql` gives it. We read and rewrite it generically: only the node kinds
 * that the planner decides on are named here, everything else passes through untouched.
 */
declare global {
  interface JSON {
    rawJSON(text: string): unknown;
    isRawJSON(value: unknown): boolean;
  }
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type AstNode = { readonly [key: string]: Json };
export type Expression = AstNode & { readonly class: string; readonly type: string };

/** Integers beyond 2^53 are raw JSON (see parseAst), not nodes. */
export const isNode = (value: Json | undefined): value is AstNode =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);

export const isExpression = (value: Json | undefined): value is Expression =>
  isNode(value) && typeof value['class'] === 'string';

export const nodes = (value: Json | undefined): readonly AstNode[] =>
  Array.isArray(value) ? value.filter(isNode) : [];

export const expressions = (value: Json | undefined): readonly Expression[] =>
  Array.isArray(value) ? value.filter(isExpression) : [];

export const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

/** Parses DuckDB's JSON without losing digits of 64- and 128-bit integers. */
export function parseAst(json: string): AstNode {
  const lossless = (_key: string, value: Json, context: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context.source ?? '')
      ? JSON.rawJSON(context.source ?? '0')
      : value;
  return JSON.parse(json, lossless as (this: unknown, key: string, value: unknown) => unknown) as AstNode;
}

/** Rebuilds a tree bottom-up; `visit` sees every node after its children and may return another. */
export function rewrite(value: Json, visit: (node: AstNode) => AstNode): Json {
  if (Array.isArray(value)) return value.map((item: Json) => rewrite(item, visit));
  if (!isNode(value)) return value;
  const copy: Record<string, Json> = {};
  for (const [key, child] of Object.entries(value)) copy[key] = rewrite(child, visit);
  return visit(copy);
}

/** Rebuilds a tree top-down; where `visit` returns a node it stands as it is, undefined goes on into the children. */
export function replace(value: Json, visit: (node: AstNode) => AstNode | undefined): Json {
  if (Array.isArray(value)) return value.map((item: Json) => replace(item, visit));
  if (!isNode(value)) return value;
  const replaced = visit(value);
  if (replaced !== undefined) return replaced;
  const copy: Record<string, Json> = {};
  for (const [key, child] of Object.entries(value)) copy[key] = replace(child, visit);
  return copy;
}

/** Every node of a tree, parents first; `enter` may return false to skip the children. */
export function walk(value: Json, enter: (node: AstNode) => boolean | void): void {
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) walk(item, enter);
  } else if (isNode(value) && enter(value) !== false) {
    for (const child of Object.values(value)) walk(child, enter);
  }
}

/** One text for all trees that mean the same: without locations and its own alias, names in lower case. */
export function fingerprint(value: Json): string {
  const plain = isNode(value) && 'alias' in value ? { ...value, alias: '' } : value;
  return JSON.stringify(plain, (key, item: unknown) => {
    if (key === 'query_location') return undefined;
    if (key === 'column_names' && Array.isArray(item)) return item.map((name) => String(name).toLowerCase());
    return item;
  });
}

/** The offset in the parsed text (bytes, as DuckDB's parser counts), or undefined. */
export function location(node: AstNode): number | undefined {
  const at = node['query_location'];
  return typeof at === 'number' ? at : undefined;
}

const NOWHERE = JSON.rawJSON('18446744073709551615') as unknown as Json;

export const columnRef = (...path: readonly string[]): Expression => ({
  class: 'COLUMN_REF',
  type: 'COLUMN_REF',
  alias: '',
  query_location: NOWHERE,
  column_names: path,
});

export const columnPath = (node: AstNode): readonly string[] =>
  node['class'] === 'COLUMN_REF' ? (node['column_names'] as readonly string[]) : [];

/** `a AND b AND c` as its parts. */
export function conjuncts(condition: Json | undefined): readonly Expression[] {
  if (!isExpression(condition)) return [];
  if (condition.type === 'CONJUNCTION_AND')
    return expressions(condition['children']).flatMap((part) => conjuncts(part));
  return [condition];
}

/** An INTEGER. */
export const constant = (value: number): Expression => ({
  class: 'CONSTANT',
  type: 'VALUE_CONSTANT',
  alias: '',
  query_location: NOWHERE,
  value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value },
});

/** What to select where no column is read, and a projection needs one. */
export const ONE = constant(1);

export const equal = (left: Expression, right: Expression): Expression => ({
  class: 'COMPARISON',
  type: 'COMPARE_EQUAL',
  alias: '',
  query_location: left['query_location'] ?? NOWHERE,
  left,
  right,
});

/** The nodes of a query tree that are base tables, for asking whether a name is used. */
export function baseTables(tree: AstNode): readonly AstNode[] {
  const found: AstNode[] = [];
  walk(tree, (node) => {
    if (node['type'] === 'BASE_TABLE') found.push(node);
  });
  return found;
}

/** Its parts as `a AND b AND c`; null where there are none. */
export const and = (conditions: readonly Expression[]): Json => {
  const [only, second] = conditions;
  if (second === undefined) return only ?? null;
  const at = only?.['query_location'] ?? 0;
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', query_location: at, children: [...conditions] };
};
