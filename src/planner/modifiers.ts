import { expressions, isExpression, isNode, nodes, text, type AstNode, type Expression } from './ast.ts';
import { refuse, refuseWord, type QueryContext } from './context.ts';

export interface Order {
  readonly expression: Expression;
  /** `DESC NULLS FIRST` as written. */
  readonly direction: string;
}

/** What stands around a query: DISTINCT, ORDER BY, LIMIT and OFFSET. */
export interface Modifiers {
  readonly distinct: boolean;
  readonly distinctOn: readonly Expression[];
  readonly orders: readonly Order[];
  /** Both undefined where there is no LIMIT and no OFFSET. */
  readonly limit: number | undefined;
  readonly offset: number | undefined;
  readonly at: AstNode;
}

/** Reads the modifiers of a query; refuses those that mean nothing in a view. */
export function readModifiers(context: QueryContext, node: AstNode): Modifiers {
  let found: Modifiers = { distinct: false, distinctOn: [], orders: [], limit: undefined, offset: undefined, at: node };
  for (const modifier of nodes(node['modifiers'])) {
    switch (modifier['type']) {
      case 'DISTINCT_MODIFIER': {
        const targets = expressions(modifier['distinct_on_targets']);
        found = { ...found, distinct: targets.length === 0, distinctOn: targets };
        break;
      }
      case 'ORDER_MODIFIER':
        found = { ...found, orders: nodes(modifier['orders']).flatMap(order), at: modifier };
        break;
      case 'LIMIT_MODIFIER':
        found = {
          ...found,
          limit: count(context, modifier, 'limit'),
          offset: count(context, modifier, 'offset'),
          at: modifier,
        };
        break;
      case 'LIMIT_PERCENT_MODIFIER':
        throw refuse(context, modifier, 'LIMIT with a percentage is not supported in a view', 'write how many rows');
      default:
        throw refuse(context, modifier, `${text(modifier['type'])} is not supported in a view`);
    }
  }
  if (isNode(node['sample'])) throw refuseSample(context, node);
  const limited = found.limit !== undefined || found.offset !== undefined || found.distinctOn.length > 0;
  if (found.orders.length > 0 && !limited) {
    throw refuseWord(
      context,
      found.at,
      'ORDER',
      'ORDER BY in a view is not supported without LIMIT: a table has no order',
      'order when you query the view, or add LIMIT n for the first n rows',
    );
  }
  return found;
}

export function refuseSample(context: QueryContext, node: AstNode): Error {
  const message = 'a sample is random, so a view with it would have no meaning';
  return refuseWord(context, node, 'SAMPLE', message, 'take rows by what they hold, such as id % 10 = 0');
}

function order(node: AstNode): readonly Order[] {
  const { expression } = node;
  if (!isExpression(expression)) return [];
  const way = { ASCENDING: 'ASC', DESCENDING: 'DESC' }[text(node['type'])] ?? '';
  const nulls = { 'NULLS FIRST': 'NULLS FIRST', 'NULLS LAST': 'NULLS LAST', NULLS_FIRST: 'NULLS FIRST', NULLS_LAST: 'NULLS LAST' }[text(node['null_order'])] ?? ''; // prettier-ignore
  return [{ expression, direction: `${way} ${nulls}`.trim() }];
}

function count(context: QueryContext, modifier: AstNode, name: 'limit' | 'offset'): number | undefined {
  const value = modifier[name];
  if (!isExpression(value)) return undefined;
  const constant = isNode(value['value']) ? value['value']['value'] : undefined;
  if (value.class === 'CONSTANT' && typeof constant === 'number' && Number.isInteger(constant) && constant >= 0)
    return constant;
  throw refuse(context, value, `${name.toUpperCase()} takes a whole number in a view`, 'write the number itself');
}
