import { aggregatesOf, distinct, hasAggregate, isConstant } from './aggregate-calls.ts';
import {
  and,
  columnPath,
  conjuncts,
  expressions,
  fingerprint,
  isNode,
  ONE,
  text,
  walk,
  type AstNode,
  type Expression,
} from './ast.ts';
import { hasAggregates, positional, resolveBlock, unique, type Block, type Item, type Resolved } from './block.ts';
import { refuse, type QueryContext, type Relational } from './context.ts';
import { distinctNode } from './distinct.ts';
import type { FromEnvironment } from './from-part.ts';
import { compileFrom } from './from.ts';
import type { Mentioned } from './gather.ts';
import { compileGroups, groupingCalls } from './grouping-sets.ts';
import { groupWindow, type GroupWindow } from './group-window.ts';
import { readModifiers, type Modifiers } from './modifiers.ts';
import { columnsRead, overItems, overNode, windowsIn } from './over.ts';
import { pushQualify } from './push-qualify.ts';
import { selectNode } from './select-node.ts';
import { retain, selectAliases } from './retention.ts';
import { sessionsOf } from './session-node.ts';
import { unnest, type Unnested } from './subqueries.ts';
import { topN, type OrderColumn } from './top-n.ts';
import { groupingColumn, type WindowCall } from './window-calls.ts';
import { NeedsWhole } from './needs-whole.ts';
import { compileWhole } from './whole.ts';

/** Compiles one SELECT … FROM … WHERE … GROUP BY … HAVING … QUALIFY … ORDER BY … LIMIT, clause by clause. */
export async function compileSelect(
  context: QueryContext,
  environment: FromEnvironment,
  node: AstNode,
): Promise<Relational> {
  try {
    return await clauseByClause(context, environment, pushQualify(node));
  } catch (error) {
    if (!(error instanceof NeedsWhole)) throw error;
    refuseGroupWindow(context, node);
    return compileWhole(context, environment, node);
  }
}

/** What is answered as a whole is DuckDB's to answer, which has no windows in GROUP BY. */
function refuseGroupWindow(context: QueryContext, node: AstNode): void {
  const window = expressions(node['group_expressions']).find((group) => groupingColumn(group) !== undefined);
  if (window === undefined) return;
  const name = text(window['function_name']).toUpperCase();
  const message = `${name} in GROUP BY beside a subquery like this one is not supported`;
  throw refuse(context, window, message, `write FROM ${name}(table, …) GROUP BY window_start, window_end`);
}

async function clauseByClause(context: QueryContext, environment: FromEnvironment, node: AstNode): Promise<Relational> {
  const modifiers = readModifiers(context, node);
  const fromNode = node['from_table'];
  if (!isNode(fromNode)) throw refuse(context, node, 'a view reads from a source; this SELECT has no FROM');
  if (fromNode['type'] === 'EMPTY' && readsInSubqueries(node)) throw new NeedsWhole();
  const mentioned = mentionedColumns(node);
  const window = await groupWindow(context, expressions(node['group_expressions']));
  const whole = await compileFrom(context, { ...environment, wrap: window?.wrap, mentioned }, fromNode);
  if (window !== undefined && window.session === undefined && window.alias() === undefined) {
    throw refuse(context, window.call, 'the time column of this window is no column of the tables in FROM');
  }
  const timed = await retain(
    context,
    whole,
    conjuncts(node['where_clause']),
    selectAliases(node),
    window === undefined ? mentioned : undefined,
  );
  const untimed = { ...node, where_clause: and(timed.conditions) };
  const unnested = await unnest(context, environment, timed.from, untimed, mentioned);
  const { from, node: tree } =
    window?.session === undefined
      ? unnested
      : await inSessions(context, unnested, { ...window, session: window.session }, mentioned);
  const resolved = await resolveBlock(context, from, tree, window);
  if (!from.scope.relations.some((relation) => relation.input !== undefined && relation.input.node.kind !== 'static')) {
    throw new NeedsWhole();
  }
  const ordered = orderedBlock(resolved, readModifiers(context, tree));
  const rows = await rowsOf(ordered.block, tree);
  const unlike = modifiers.distinct ? await distinctNode(context, rows) : rows;
  return topN(context, unlike, modifiers, ordered.orders, ordered.on);
}

/** The block over the sessions of its rows: WHERE has been applied below them. */
async function inSessions(
  context: QueryContext,
  block: Unnested,
  window: GroupWindow & { session: WindowCall },
  mentioned: Mentioned,
): Promise<Unnested> {
  const { from, node } = block;
  const sessions = await sessionsOf(context, from, conjuncts(node['where_clause']), window.session, node, mentioned);
  window.stands(sessions.alias);
  return { from: sessions.from, node: { ...node, where_clause: null } };
}

async function rowsOf(block: Block, node: AstNode): Promise<Relational> {
  const everything = [
    ...block.items.map((item) => item.expression),
    ...(block.qualify === undefined ? [] : [block.qualify]),
  ];
  const all = node['aggregate_handling'] === 'FORCE_AGGREGATES';
  // GROUP BY ALL of nothing but constants groups nothing.
  const byAll = all && block.items.some((item) => !isConstant(item.expression));
  const grouped = block.groups.length > 0 || block.sets !== undefined || byAll || hasAggregates(block);
  const windows = windowsIn(everything);
  if (windows.length === 0 && block.qualify === undefined)
    return grouped ? compileGroups(block, all) : plainSelect(block);
  const groups = all
    ? block.items
        .map((item) => item.expression)
        .filter((item) => !hasAggregate(block, item) && !isConstant(item) && windowsIn([item]).length === 0)
    : block.groups;
  const over = { ...block, items: everything.map((expression, i) => ({ name: `$${i}`, expression })) };
  const below: readonly Item[] = grouped
    ? distinct([
        ...groups.filter((group) => group.class !== 'CONSTANT'),
        ...aggregatesOf(over),
        ...groupingCalls(everything),
      ]).map((expression, i) => ({ name: `$c${i}`, expression }))
    : columnsRead(block, everything);
  const base = { ...block, groups, items: below, qualify: undefined };
  const relational = grouped ? await compileGroups(base, false) : await plainSelect(base);
  return overNode(block, {
    relational,
    items: block.items.map((item) => ({ name: item.name, expression: overItems(item.expression, below) })),
    qualify: block.qualify === undefined ? undefined : overItems(block.qualify, below),
    at: windows[0] ?? node,
  });
}

/** The block with a column for each expression that orders its rows and is no item of it. */
function orderedBlock(
  { block, resolve, aliases }: Resolved,
  modifiers: Modifiers,
): { block: Block; orders: readonly OrderColumn[]; on: readonly string[] } {
  const items: Item[] = [...block.items];
  const taken = new Set(items.map((item) => item.name.toLowerCase()));
  const column = (expression: Expression): string => {
    const path = columnPath(expression);
    const named =
      path.length === 1 ? block.items.find((item) => item.name.toLowerCase() === path[0]?.toLowerCase()) : undefined;
    if (named !== undefined && (aliases.has(named.name.toLowerCase()) || block.from.scope.resolve(path) === undefined))
      return named.name;
    const wanted = positional(expression, block.items) ?? resolve(expression, { windows: true });
    const known = items.find((item) => fingerprint(item.expression) === fingerprint(wanted));
    if (known !== undefined) return known.name;
    const name = unique(`$o${items.length}`, taken);
    items.push({ name, expression: { ...wanted, alias: '' } });
    return name;
  };
  const all = modifiers.orders.length === 1 && modifiers.orders[0]?.expression.class === 'STAR';
  const orders = all
    ? block.items.map((item) => ({ column: item.name, direction: modifiers.orders[0]?.direction ?? '' }))
    : modifiers.orders.map((order) => ({ column: column(order.expression), direction: order.direction }));
  const on = modifiers.distinctOn.map((target) => column(target));
  return { block: { ...block, items }, orders, on };
}

async function plainSelect(block: Block): Promise<Relational> {
  // count(*) OVER () and its like read no column, and a relation has one.
  const items = block.items.length > 0 ? block.items : [{ name: '$one', expression: ONE }];
  const node = await selectNode(block, items, 'select');
  return { node, columns: node.columns };
}

function readsInSubqueries(node: AstNode): boolean {
  let found = false;
  walk([node['select_list'] ?? null, node['where_clause'] ?? null], (inner) => {
    found ||= inner['type'] === 'BASE_TABLE';
  });
  return found;
}

/** Every name that the block could mean a column by; undefined where a star means all of them. */
function mentionedColumns(node: AstNode): Mentioned {
  const names = new Set<string>();
  let star = false;
  walk(node, (inner) => {
    if (inner['class'] === 'STAR' || inner['ref_type'] === 'NATURAL') star = true;
    columnPath(inner).forEach((name) => names.add(name.toLowerCase()));
    if (Array.isArray(inner['using_columns']))
      inner['using_columns'].forEach((name) => names.add(text(name).toLowerCase()));
  });
  return star ? undefined : names;
}
