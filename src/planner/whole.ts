import type { Column } from '../base/schema.ts';
import { ident, raw, spliced } from '../base/sql.ts';
import {
  baseTables,
  constant,
  expressions,
  isExpression,
  isNode,
  nodes,
  text,
  type AstNode,
  type Json,
} from './ast.ts';
import { checkExpression } from './check.ts';
import { cogroupNode } from './cogroup-node.ts';
import { refuse, type QueryContext, type Relational } from './context.ts';
import type { FromEnvironment } from './from-part.ts';
import { NeedsWhole, uncorrelated } from './needs-whole.ts';
import type { KeptInput } from './plan-cogroup.ts';
import { staticNode } from './static-node.ts';
import { WINDOW_FUNCTIONS } from './window-calls.ts';

interface Taken {
  readonly placeholder: string;
  readonly relational: Relational;
}

/**
 * A query that is answered anew, as the user wrote it, whenever any of its inputs changes: for what has no key, such as a
 * subquery that is correlated by more than equality. What stands in FROM is compiled first.
 */
export async function compileWhole(
  context: QueryContext,
  environment: FromEnvironment,
  node: AstNode,
): Promise<Relational> {
  checkExpression(context, node, { windows: true, subqueries: true });
  const taken: Taken[] = [];
  const body = await takeInputs(context, environment, node, new Set(), taken);
  if (!isNode(body)) throw refuse(context, node, 'this query is not supported in a view');
  const inputs = taken.map(({ placeholder, relational }): KeptInput & { keys: readonly string[] } => ({
    placeholder,
    node: relational.node,
    uses: relational.node.columns.map((column) => column.name),
    keys: [],
  }));
  if (inputs.length === 0) throw refuse(context, node, 'a view reads from a source; nothing in this query is one');
  const ordered = await withTotalLimits(context, body, inputs);
  const printed = await context.service.printQuery(ordered as AstNode);
  const described = await context.service.describe(raw(bind(printed, inputs)));
  if (inputs.every((input) => input.node.kind === 'static')) return staticAnswer(context, printed, described, inputs);
  const names = described.map((_, i) => ident(`$c${i}`).text);
  const list = described.map((column, i) => `${names[i]} AS ${ident(column.name).text}`);
  return cogroupNode(context, {
    title: 'recompute',
    inputs,
    body: `SELECT ${list.join(', ')} FROM (${printed}) AS "$q"(${names.join(', ')})`,
    keyTimes: [],
    keyOutputs: new Map(),
    at: subqueriesIn(node)[0] ?? node,
  });
}

/** A query over tables that do not change is one itself. */
async function staticAnswer(
  context: QueryContext,
  printed: string,
  columns: readonly Column[],
  inputs: readonly KeptInput[],
): Promise<Relational> {
  const sql = inputs.reduce(
    (text, { placeholder, node }) => (node.kind === 'static' ? spliced(text, placeholder, `(${node.sql})`) : text),
    printed,
  );
  return { node: await staticNode(context, sql, columns), columns };
}

/** Every table, view and window call of the query becomes an input, named by a placeholder. */
async function takeInputs(
  context: QueryContext,
  environment: FromEnvironment,
  value: Json,
  shadowed: ReadonlySet<string>,
  taken: Taken[],
): Promise<Json> {
  if (Array.isArray(value)) {
    const out: Json[] = [];
    for (const item of value as readonly Json[])
      out.push(await takeInputs(context, environment, item, shadowed, taken));
    return out;
  }
  if (!isNode(value)) return value;
  const here = withCteNames(value, shadowed);
  if (value['type'] === 'BASE_TABLE' && !here.has(text(value['table_name']).toLowerCase()))
    return placeholderFor(context, value, await tableInput(context, environment, value), taken);
  if (value['type'] === 'TABLE_FUNCTION' && isNode(value['function'])) {
    const name = text(value['function']['function_name']).toLowerCase();
    if (WINDOW_FUNCTIONS.has(name) && environment.compileRelation !== undefined)
      return placeholderFor(context, value, await environment.compileRelation(value), taken);
  }
  const derived = await derivedTable(context, environment, value, here);
  if (derived !== undefined) return placeholderFor(context, value, derived, taken);
  const copy: Record<string, Json> = {};
  for (const [key, child] of Object.entries(value))
    copy[key] = await takeInputs(context, environment, child, here, taken);
  return copy;
}

/** A subquery in FROM by itself, if it names nothing of the query around it. */
async function derivedTable(
  context: QueryContext,
  environment: FromEnvironment,
  node: AstNode,
  shadowed: ReadonlySet<string>,
): Promise<Relational | undefined> {
  const inner = isNode(node['subquery']) ? node['subquery']['node'] : undefined;
  if (node['type'] !== 'SUBQUERY' || isExpression(node) || !isNode(inner)) return undefined;
  if (baseTables(inner).some((table) => shadowed.has(text(table['table_name']).toLowerCase()))) return undefined;
  // What is final by itself need not be so in here: this is about what changes.
  if (context.emit !== 'changes') return undefined;
  try {
    const found = await uncorrelated(() => environment.compileQuery(inner));
    return found.node.kind === 'static' ? undefined : found;
  } catch (error) {
    if (error instanceof NeedsWhole) return undefined;
    throw error;
  }
}

function withCteNames(node: AstNode, shadowed: ReadonlySet<string>): ReadonlySet<string> {
  const names = nodes(isNode(node['cte_map']) ? node['cte_map']['map'] : null).map((entry) =>
    text(entry['key']).toLowerCase(),
  );
  return names.length === 0 ? shadowed : new Set([...shadowed, ...names]);
}

async function tableInput(context: QueryContext, environment: FromEnvironment, node: AstNode): Promise<Relational> {
  if (isNode(node['at_clause'])) throw refuse(context, node, 'FOR SYSTEM_TIME AS OF is not supported in this query');
  const name = text(node['table_name']);
  const found = await environment.lookup(name, node);
  if (found !== undefined) return found;
  const path = [text(node['catalog_name']), text(node['schema_name']), name].filter((part) => part !== '');
  const made = await staticNode(context, `SELECT * FROM ${ident(...path).text}`);
  return { node: made, columns: made.columns };
}

function placeholderFor(context: QueryContext, node: AstNode, relational: Relational, taken: Taken[]): AstNode {
  const placeholder = context.nextId('$in');
  taken.push({ placeholder, relational });
  const given = Array.isArray(node['column_name_alias'])
    ? node['column_name_alias'].map((name: Json) => text(name))
    : [];
  const names = relational.columns.map((column, i) => given[i] ?? column.name);
  const call = isNode(node['function']) ? node['function'] : undefined;
  const own = call === undefined ? text(node['table_name']) : windowedName(call);
  return {
    type: 'BASE_TABLE', alias: text(node['alias']) || own, sample: null, query_location: node['query_location'] ?? 0,
    schema_name: '', table_name: placeholder, column_name_alias: names, catalog_name: '', at_clause: null,
  }; // prettier-ignore
}

function windowedName(call: AstNode): string {
  const [data] = expressions(call['children']);
  const path = data?.class === 'COLUMN_REF' ? (data['column_names'] as readonly string[]) : [];
  return path.at(-1) ?? text(call['function_name']);
}

/** LIMIT picks the same rows wherever they lie: ties are broken by all the columns. */
async function withTotalLimits(context: QueryContext, value: Json, inputs: readonly KeptInput[]): Promise<Json> {
  if (Array.isArray(value)) {
    const out: Json[] = [];
    for (const item of value as readonly Json[]) out.push(await withTotalLimits(context, item, inputs));
    return out;
  }
  if (!isNode(value)) return value;
  const copy: Record<string, Json> = {};
  for (const [key, child] of Object.entries(value)) copy[key] = await withTotalLimits(context, child, inputs);
  if (!limited(copy)) return copy;
  const width = await widthOf(context, copy, inputs);
  const added = Array.from({ length: width }, (_, i): AstNode => ({ type: 'ASCENDING', null_order: 'NULLS LAST', expression: constant(i + 1) })); // prettier-ignore
  const modifiers = nodes(copy['modifiers']);
  const order = modifiers.find((modifier) => modifier['type'] === 'ORDER_MODIFIER');
  const total: AstNode = { type: 'ORDER_MODIFIER', orders: [...nodes(order?.['orders']), ...added] };
  const rest = modifiers.filter((modifier) => modifier !== order);
  const at = rest.findIndex((modifier) => text(modifier['type']).startsWith('LIMIT'));
  return { ...copy, modifiers: [...rest.slice(0, at), total, ...rest.slice(at)] };
}

async function widthOf(context: QueryContext, node: AstNode, inputs: readonly KeptInput[]): Promise<number> {
  const list = expressions(node['select_list']);
  if (list.length > 0 && !list.some((item) => item.class === 'STAR')) return list.length;
  try {
    return (await context.service.describe(raw(bind(await context.service.printQuery(node), inputs)))).length;
  } catch {
    throw refuse(context, node, 'LIMIT in a correlated subquery with * is not supported', 'name the columns');
  }
}

const limited = (node: AstNode): boolean =>
  nodes(node['modifiers']).some((modifier) => text(modifier['type']).startsWith('LIMIT'));

function bind(sql: string, inputs: readonly KeptInput[]): string {
  return inputs.reduce((text, { placeholder, node }) => spliced(text, placeholder, `plan.${ident(node.id).text}`), sql);
}

/** Subqueries among the expressions of a block: not those in FROM, nor what a window call reads, nor those inside of subqueries. */
export function subqueriesIn(value: Json): readonly AstNode[] {
  if (Array.isArray(value)) return value.flatMap((item: Json) => subqueriesIn(item));
  if (!isNode(value)) return [];
  if (value['class'] === 'SUBQUERY') return [value];
  if (['SUBQUERY', 'TABLE_FUNCTION'].includes(text(value['type'])) && !isExpression(value)) return [];
  return Object.values(value).flatMap((child) => subqueriesIn(child));
}
