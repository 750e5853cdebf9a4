import { raw } from '../base/sql.ts';
import { aggregatesOf, isAggregate } from './aggregate-calls.ts';
import { compileAggregate } from './aggregate.ts';
import {
  constant,
  expressions,
  fingerprint,
  isExpression,
  replace,
  text,
  walk,
  type Expression,
  type Json,
} from './ast.ts';
import type { Block } from './block.ts';
import { refuse, type QueryContext, type Relational } from './context.ts';
import { print } from './expressions.ts';
import { boundFrom } from './select-node.ts';
import { unionAll } from './union-node.ts';

/**
 * GROUP BY, also by several sets of keys: UNION ALL of one aggregation for each set. A key that is not in the set is NULL,
 * of its own type; GROUPING(a, b) has a bit for each of its keys, the last one's the lowest, set where it is not in the set.
 */
export async function compileGroups(block: Block, all: boolean): Promise<Relational> {
  const { sets, context } = block;
  if (sets === undefined) {
    const grouping = groupingCalls(block.items.map((item) => item.expression)).length > 0 || block.having !== undefined;
    return compileAggregate(grouping ? withGrouping(block, block.groups) : block, all);
  }
  const nulls = new Map<string, Expression>();
  for (const key of block.groups) nulls.set(fingerprint(key), await typedNull(context, block, key));
  const branches: Relational[] = [];
  for (const set of sets) {
    const branch = withoutKeys(withGrouping(block, set), set, nulls);
    branches.push(
      await compileAggregate(set.length === 0 && aggregatesOf(branch).length === 0 ? counting(branch) : branch, false),
    );
  }
  return unionAll(context, branches);
}

/** Without keys there is one group, also where nothing is asked of it. */
const counting = (block: Block): Block => ({
  ...block,
  having: { class: 'COMPARISON', type: 'COMPARE_GREATERTHANOREQUALTO', alias: '', query_location: 0, left: COUNT, right: constant(0) }, // prettier-ignore
});

const COUNT: Expression = {
  class: 'FUNCTION', type: 'FUNCTION', alias: '', query_location: 0, function_name: 'count_star', schema: '', children: [],
  filter: null, order_bys: { type: 'ORDER_MODIFIER', orders: [] }, distinct: false, is_operator: false, export_state: false, catalog: '',
}; // prettier-ignore

/** GROUPING(…) calls among expressions. */
export function groupingCalls(values: readonly Json[]): readonly Expression[] {
  const found: Expression[] = [];
  walk(values, (node) => {
    if (node['type'] === 'GROUPING_FUNCTION') found.push(node as Expression);
  });
  return found;
}

function mapBlock(block: Block, groups: readonly Expression[], visit: (expression: Expression) => Expression): Block {
  const items = block.items.map((item) => ({ ...item, expression: visit(item.expression) }));
  const having = block.having === undefined ? undefined : visit(block.having);
  return { ...block, groups, items, having, sets: undefined };
}

/** The block with what GROUPING(…) is for a set. */
function withGrouping(block: Block, set: readonly Expression[]): Block {
  const inSet = new Set(set.map(fingerprint));
  const known = new Set(block.groups.map(fingerprint));
  return mapBlock(
    block,
    set,
    (expression) =>
      replace(expression, (node) => {
        if (node['type'] !== 'GROUPING_FUNCTION') return undefined;
        const bits = expressions(node['children']).map((key) => {
          if (!known.has(fingerprint(key)))
            throw refuse(block.context, key, 'GROUPING takes keys of the GROUP BY, as they stand there');
          return inSet.has(fingerprint(key)) ? 0 : 1;
        });
        return bigint(
          bits.reduce<number>((mask, bit) => mask * 2 + bit, 0),
          text(node['alias']),
        );
      }) as Expression,
  );
}

/** The block with NULL for each key that is not in the set, save inside of aggregates: those see the rows as they are. */
function withoutKeys(block: Block, set: readonly Expression[], nulls: ReadonlyMap<string, Expression>): Block {
  const inSet = new Set(set.map(fingerprint));
  return mapBlock(
    block,
    set,
    (expression) =>
      replace(expression, (node) => {
        if (!isExpression(node)) return undefined;
        if (isAggregate(block, node) || inSet.has(fingerprint(node))) return node;
        // A constant is the key where it is the whole item; elsewhere it is a number like any other.
        const missing = node.class === 'CONSTANT' && node !== expression ? undefined : nulls.get(fingerprint(node));
        return missing === undefined ? undefined : { ...missing, alias: text(node['alias']) };
      }) as Expression,
  );
}

async function typedNull(context: QueryContext, block: Block, key: Expression): Promise<Expression> {
  const select = `SELECT ${await print(context.service, { ...key, alias: '' })} FROM ${boundFrom(block.from)}`;
  const [described] = await context.service.describe(raw(select));
  return cast(context, 'NULL', described?.type ?? 'INTEGER');
}

async function cast(context: QueryContext, value: string, type: string): Promise<Expression> {
  const parsed = await context.service.parse({ text: `SELECT CAST(${value} AS ${type})`, span: context.text.span, origin: () => context.text.span.start }); // prettier-ignore
  const [item] = expressions(parsed['select_list']);
  if (item === undefined)
    throw refuse(context, context.root, `keys of type ${type} are not supported in GROUPING SETS`);
  return item;
}

const bigint = (value: number, alias: string): Expression => ({
  class: 'CAST', type: 'OPERATOR_CAST', alias, query_location: 0, child: constant(value),
  cast_type: { id: 'BIGINT', type_info: null }, try_cast: false,
}); // prettier-ignore
