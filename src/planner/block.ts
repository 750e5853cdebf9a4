import {
  columnPath,
  conjuncts,
  expressions,
  isExpression,
  isNode,
  replace,
  text,
  walk,
  type AstNode,
  type Expression,
  type Json,
} from './ast.ts';
import { checkExpression, type Allowed } from './check.ts';
import type { QueryContext } from './context.ts';
import { print } from './expressions.ts';
import type { From } from './from.ts';
import type { GroupWindow } from './group-window.ts';
import { groupingSets, type GroupingSets } from './grouping-keys.ts';
import type { Scope } from './scope.ts';
import { expandStars } from './stars.ts';

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
  /** GROUPING SETS, ROLLUP, CUBE: which of the groups each set holds. */
  readonly sets?: GroupingSets | undefined;
  readonly having: Expression | undefined;
  readonly qualify: Expression | undefined;
}

/** A block, and what resolves further expressions as its own. */
export interface Resolved {
  readonly block: Block;
  readonly resolve: (expression: Expression, allowed?: Allowed) => Expression;
  /** The aliases of the select list. */
  readonly aliases: ReadonlyMap<string, Expression>;
}

export async function resolveBlock(
  context: QueryContext,
  from: From,
  node: AstNode,
  window: GroupWindow | undefined,
): Promise<Resolved> {
  const scope = from.scope;
  const direct = (expression: Json): Json => (window === undefined ? expression : window.columns(expression));
  const raws = expandStars(context, from, expressions(node['select_list']));
  const aliases = new Map<string, Expression>();
  const items: Item[] = [];
  const taken = new Set<string>();
  const resolve = (expression: Expression, allowed: Allowed = {}): Expression => {
    checkExpression(context, direct(expression), allowed);
    return scope.qualify(inlineAliases(direct(expression) as Expression, scope, aliases));
  };
  for (const item of raws) {
    const expression = resolve(item, { windows: true });
    const name = unique(await itemName(context, item), taken);
    items.push({ name, expression: { ...expression, alias: '' } });
    const alias = text(item['alias']);
    if (alias !== '') aliases.set(alias.toLowerCase(), { ...expression, alias: '' });
  }
  const where = conjuncts(node['where_clause']).map((condition) => resolve(condition));
  const conditions = [...from.conditions.map((condition) => resolve(condition)), ...where];
  const keys = expressions(node['group_expressions']).map(
    (group) => window?.keys(group) ?? [positional(group, items) ?? resolve(group)],
  );
  const having = isExpression(node['having']) ? resolve(node['having']) : undefined;
  const qualify = isExpression(node['qualify']) ? resolve(node['qualify'], { windows: true }) : undefined;
  const sets = groupingSets(node, keys);
  const block = { context, from, items, conditions, groups: keys.flat(), sets, having, qualify };
  return { block, resolve, aliases };
}

/** `GROUP BY 1` */
export function positional(group: Expression, items: readonly Item[]): Expression | undefined {
  if (group.class !== 'CONSTANT' || !isNode(group['value'])) return undefined;
  const index = group['value']['value'];
  return typeof index === 'number' ? items[index - 1]?.expression : undefined;
}

/** A name that is no column of FROM but an alias of the select list means that item. */
export function inlineAliases(
  expression: Expression,
  scope: Scope,
  aliases: ReadonlyMap<string, Expression>,
): Expression {
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

export function hasAggregates(block: Block): boolean {
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
