import { ident, raw } from '../base/sql.ts';
import { sameName } from '../base/schema.ts';
import {
  columnPath,
  columnRef,
  conjuncts,
  expressions,
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
import { compileAggregate } from './aggregate.ts';
import { checkExpression, checkModifiers } from './check.ts';
import { newDemand, refuse, type QueryContext, type Relational } from './context.ts';
import { print } from './expressions.ts';
import { compileFrom, type From, type FromEnvironment } from './from.ts';
import { groupWindow, type GroupWindow } from './group-window.ts';
import type { BlockInput, PlanColumn, SelectNode } from './plan.ts';
import { Scope, type Relation } from './scope.ts';
import { joinBounds, joinedColumns } from './time-bounds.ts';

/** An item of a select list: its expression with every reference qualified, and the name it gives. */
export interface Item {
  readonly name: string;
  readonly expression: Expression;
}

/** A query block after name resolution: what both kinds of block, plain and grouped, are made from. */
export interface Block {
  readonly context: QueryContext;
  readonly from: From;
  readonly items: readonly Item[];
  readonly conditions: readonly Expression[];
  readonly groups: readonly Expression[];
  readonly having: Expression | undefined;
}

/** Compiles one SELECT … FROM … WHERE … GROUP BY … HAVING. */
export async function compileSelect(
  context: QueryContext,
  environment: FromEnvironment,
  node: AstNode,
): Promise<Relational> {
  checkModifiers(context, node);
  const fromNode = node['from_table'];
  if (!isNode(fromNode)) throw refuse(context, node, 'a view reads from a source; this SELECT has no FROM');
  const window = await groupWindow(context, expressions(node['group_expressions']));
  const from = await compileFrom(context, { ...environment, wrap: window?.wrap }, fromNode);
  if (window !== undefined && window.alias() === undefined) {
    throw refuse(context, window.call, 'the time column of this window is no column of the tables in FROM');
  }
  const block = await resolveBlock(context, from, node, window);
  const grouped = block.groups.length > 0 || node['aggregate_handling'] === 'FORCE_AGGREGATES' || hasAggregates(block);
  if (
    nodes(node['group_expressions']).length > 0 &&
    Array.isArray(node['group_sets']) &&
    node['group_sets'].length > 1
  ) {
    throw refuse(
      context,
      node,
      'GROUPING SETS, ROLLUP and CUBE are not supported yet',
      'write one view for each grouping',
    );
  }
  if (!from.scope.relations.some((relation) => relation.input !== undefined && relation.input.node.kind !== 'static')) {
    throw refuse(context, fromNode, 'a view reads from a source; nothing in this FROM is one');
  }
  return grouped ? compileAggregate(block, node['aggregate_handling'] === 'FORCE_AGGREGATES') : plainSelect(block);
}

async function plainSelect(block: Block): Promise<Relational> {
  const projection = block.items.map((item) => ({ name: item.name, expression: item.expression }));
  const node = await selectNode(block, projection, 'select');
  return { node, columns: node.columns };
}

/** The node of FROM and WHERE with the given projection: linear over one stream, a join over several. */
export async function selectNode(block: Block, projection: readonly Item[], hint: string): Promise<SelectNode> {
  const { context, from } = block;
  const streams = from.scope.relations.filter(
    (relation) => relation.input !== undefined && relation.input.node.kind !== 'static',
  );
  const changing = streams.find((relation) => relation.input?.node.appendOnly === false);
  if (changing !== undefined) {
    throw refuse(
      context,
      context.root,
      `${changing.alias} changes rows it gave before, and views over changing results are not supported yet`,
      'end the view that it comes from with EMIT ON WINDOW CLOSE',
    );
  }
  const join = streams.length > 1;
  const bounds = join ? await joinBounds(context, from.scope, block.conditions, streams) : undefined;
  const pushed =
    join && !from.opaque ? pushDown(from.scope, block.conditions, streams) : new Map<Expression, Relation>();
  const kept = block.conditions.filter((condition) => !pushed.has(condition));
  const where = await printAll(context, kept);
  const printed = await Promise.all(
    projection.map(async (item) => ({ name: item.name, sql: await print(context.service, item.expression) })),
  );
  const reads = [...projection.map((item) => item.expression), ...kept] as readonly Json[];
  const inputs: BlockInput[] = [];
  for (const relation of from.scope.relations) {
    if (relation.input === undefined) continue;
    const filters = [...pushed].filter(([, target]) => target === relation).map(([condition]) => condition);
    const time = bounds?.columns[streams.indexOf(relation)];
    const used = new Set([
      ...from.scope
        .reads([...reads, ...filters])
        .filter((read) => read.relation === relation)
        .map((read) => read.column.name),
      ...(time === undefined ? [] : [time]),
    ]);
    inputs.push({
      placeholder: relation.input.placeholder,
      alias: relation.alias,
      node: relation.input.node,
      uses: relation.input.node.columns.map((column) => column.name).filter((name) => from.opaque || used.has(name)),
      filter: filters.length === 0 ? undefined : await printAll(context, filters),
    });
  }
  const columns = await outputColumns(block, projection, printed, streams, bounds);
  const id = context.nextId(join ? 'join' : hint);
  await context.service.declare(id, columns);
  return {
    kind: 'select', id, columns, appendOnly: true, demand: newDemand(),
    inputs, from: from.sql, where, projection: printed, bounds,
  }; // prettier-ignore
}

/** Types from DuckDB; time attributes from the columns that an item is nothing but. */
async function outputColumns(
  block: Block,
  projection: readonly Item[],
  printed: readonly { name: string; sql: string }[],
  streams: readonly Relation[],
  bounds: Parameters<typeof joinedColumns>[2],
): Promise<readonly PlanColumn[]> {
  const list = printed.map((item) => `${item.sql} AS ${ident(item.name).text}`).join(', ');
  const described = await block.context.service.describe(raw(`SELECT ${list} FROM ${boundFrom(block.from)}`));
  const kept = new Map(
    streams.map((relation, i) => [
      relation,
      streams.length === 1 ? relation.columns : joinedColumns(relation, i, bounds),
    ]),
  );
  return described.map((column, i) => {
    const resolved = block.from.scope.plainColumn(projection[i]?.expression);
    const source =
      resolved === undefined
        ? undefined
        : kept.get(resolved.relation)?.find((candidate) => candidate.name === resolved.column.name);
    return source?.time === undefined ? column : { ...column, time: source.time };
  });
}

/** The FROM clause over the empty tables, for binding. */
export function boundFrom(from: From): string {
  let sql = from.sql;
  for (const relation of from.scope.relations) {
    if (relation.input === undefined) continue;
    sql = sql.replace(ident(relation.input.placeholder).text, `plan.${ident(relation.input.node.id).text}`);
  }
  return sql;
}

async function printAll(context: QueryContext, conditions: readonly Expression[]): Promise<string | undefined> {
  if (conditions.length === 0) return undefined;
  const printed = await Promise.all(conditions.map((condition) => print(context.service, condition)));
  return printed.join(' AND ');
}

/** Conditions that concern one stream alone: applied before its rows are kept. */
function pushDown(
  scope: Scope,
  conditions: readonly Expression[],
  streams: readonly Relation[],
): Map<Expression, Relation> {
  const pushed = new Map<Expression, Relation>();
  for (const condition of conditions) {
    const read = new Set(scope.reads(condition).map((resolved) => resolved.relation));
    const [only] = read;
    if (read.size === 1 && only !== undefined && streams.includes(only)) pushed.set(condition, only);
  }
  return pushed;
}

async function resolveBlock(
  context: QueryContext,
  from: From,
  node: AstNode,
  window: GroupWindow | undefined,
): Promise<Block> {
  const scope = from.scope;
  const direct = (expression: Json): Json => (window === undefined ? expression : window.columns(expression));
  const raws = expandStars(context, from, expressions(node['select_list']));
  const aliases = new Map<string, Expression>();
  const items: Item[] = [];
  const taken = new Set<string>();
  const resolve = (expression: Expression): Expression => {
    checkExpression(context, direct(expression));
    return scope.qualify(inlineAliases(direct(expression) as Expression, scope, aliases));
  };
  for (const item of raws) {
    const expression = resolve(item);
    const name = unique(await itemName(context, item), taken);
    items.push({ name, expression: { ...expression, alias: '' } });
    const alias = text(item['alias']);
    if (alias !== '') aliases.set(alias.toLowerCase(), { ...expression, alias: '' });
  }
  const where = conjuncts(node['where_clause']).map(resolve);
  const conditions = [...from.conditions.map(resolve), ...where];
  const groups = expressions(node['group_expressions']).flatMap((group) => {
    const windowed = window?.keys(group);
    if (windowed !== undefined) return windowed;
    return [positional(group, items) ?? resolve(group)];
  });
  const having = isExpression(node['having']) ? resolve(node['having']) : undefined;
  return { context, from, items, conditions, groups, having };
}

/** `GROUP BY 1` */
function positional(group: Expression, items: readonly Item[]): Expression | undefined {
  if (group.class !== 'CONSTANT' || !isNode(group['value'])) return undefined;
  const index = group['value']['value'];
  return typeof index === 'number' ? items[index - 1]?.expression : undefined;
}

/** A name that is no column of FROM but an alias of the select list means that item. */
function inlineAliases(expression: Expression, scope: Scope, aliases: ReadonlyMap<string, Expression>): Expression {
  return replace(expression, (node) => {
    const path = columnPath(node);
    const [name] = path;
    if (name === undefined || path.length !== 1 || scope.resolve(path) !== undefined) return undefined;
    const item = aliases.get(name.toLowerCase());
    return item === undefined ? undefined : { ...item, alias: node['alias'] ?? '' };
  }) as Expression;
}

async function itemName(context: QueryContext, item: Expression): Promise<string> {
  const alias = text(item['alias']);
  if (alias !== '') return alias;
  const path = columnPath(item);
  return path.at(-1) ?? print(context.service, item);
}

/** As DuckDB names the second of two equal columns: `x`, `x_1`. */
export function unique(name: string, taken: Set<string>): string {
  let candidate = name;
  for (let n = 1; taken.has(candidate.toLowerCase()); n++) candidate = `${name}_${n}`;
  taken.add(candidate.toLowerCase());
  return candidate;
}

/** `*`, `t.*`, EXCLUDE, REPLACE and RENAME, spelled out from the catalog, so that no column of ours leaks in. */
function expandStars(context: QueryContext, from: From, list: readonly Expression[]): readonly Expression[] {
  return list.flatMap((item) => {
    if (item.class !== 'STAR') {
      walk(item, (inner) => {
        if (inner['class'] === 'STAR')
          throw refuse(context, item, 'COLUMNS(…) inside an expression is not supported', 'name the columns');
      });
      return [item];
    }
    if (item['columns'] === true || isExpression(item['expr'])) {
      throw refuse(context, item, 'COLUMNS(…) is not supported', 'name the columns, or write * EXCLUDE (…)');
    }
    return expandStar(context, from, item);
  });
}

function expandStar(context: QueryContext, from: From, star: Expression): readonly Expression[] {
  const only = text(star['relation_name']);
  const entries = (key: string): readonly AstNode[] => nodes(star[key]);
  const excluded = (Array.isArray(star['exclude_list']) ? star['exclude_list'] : []).map((name: Json) =>
    isNode(name) ? text(name['column'] ?? name['name']) : text(name),
  );
  const replaced = entries('replace_list');
  const renamed = entries('rename_list');
  const out: Expression[] = [];
  for (const relation of from.scope.relations) {
    if (only !== '' && !sameName(relation.alias, only)) continue;
    for (const column of relation.columns) {
      if (only === '' && relation.merged.has(column.name.toLowerCase())) continue;
      if (excluded.some((name) => sameName(name, column.name))) continue;
      const replacement = replaced.find((entry) => sameName(text(entry['key']), column.name))?.['value'];
      const name = renamed.find((entry) => sameName(nameOf(entry['key']), column.name))?.['value'];
      const base = isExpression(replacement) ? replacement : columnRef(relation.alias, column.name);
      out.push({
        ...base,
        alias: typeof name === 'string' ? name : column.name,
        query_location: star['query_location'] ?? 0,
      });
    }
  }
  if (out.length === 0) throw refuse(context, star, `there is no column for ${only === '' ? '*' : `${only}.*`}`);
  return out;
}

const nameOf = (value: Json | undefined): string =>
  isNode(value) ? text(value['column'] ?? value['name']) : text(value);

function hasAggregates(block: Block): boolean {
  let found = false;
  walk(
    [...block.items.map((item) => item.expression), ...(block.having === undefined ? [] : [block.having])],
    (node) => {
      if (node['class'] === 'FUNCTION' && node['is_operator'] !== true) {
        found ||= block.context.service.functionKind(text(node['function_name'])) === 'aggregate';
      }
    },
  );
  return found;
}
