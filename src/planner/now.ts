import {
  columnPath,
  expressions,
  isExpression,
  isNode,
  text,
  walk,
  type AstNode,
  type Expression,
  type Json,
} from './ast.ts';
import { refuse, type QueryContext } from './context.ts';

/** The clock as a condition may name it. */
const CALLS = new Set(['now', 'get_current_timestamp', 'transaction_timestamp', 'current_localtimestamp']);
const WORDS = new Set(['current_timestamp', 'localtimestamp']);

export const WRITE_NOW =
  "write it in WHERE as a condition of its own, such as ts > now() - INTERVAL '1 hour'; for the time of arrival declare in the source: pt AS PROCTIME()";

const isNow = (node: AstNode): boolean => {
  if (node['class'] === 'FUNCTION')
    return CALLS.has(text(node['function_name']).toLowerCase()) && expressions(node['children']).length === 0;
  const path = columnPath(node);
  return path.length === 1 && WORDS.has((path[0] ?? '').toLowerCase());
};

/** Where the clock stands in an expression; not within subqueries, which are queries of their own. */
export function nowIn(expression: Json): AstNode | undefined {
  let found: AstNode | undefined;
  walk(expression, (node) => {
    if (node['class'] === 'SUBQUERY') return false;
    if (isNow(node)) found ??= node;
    return true;
  });
  return found;
}

/** `now < time + shift`, or with `until: false` `now > time + shift`; or equal. Microseconds. */
export interface ClockBound {
  readonly time: Expression;
  readonly shift: bigint;
  readonly until: boolean;
  readonly orEqual: boolean;
}

/** What a condition that names the clock says of a row; refuses what is not one time against the clock. */
export async function clockBounds(context: QueryContext, condition: Expression): Promise<readonly ClockBound[]> {
  const [input, lower, upper] = [condition['input'], condition['lower'], condition['upper']];
  if (condition.type === 'COMPARE_BETWEEN' && isExpression(input) && isExpression(lower) && isExpression(upper)) {
    const sides = [
      { low: lower, high: input },
      { low: input, high: upper },
    ];
    const named = sides.filter(({ low, high }) => nowIn([low, high]) !== undefined);
    if (named.length < sides.length)
      throw refuseShape(context, condition, 'write the other half as a condition of its own');
    return Promise.all(named.map(({ low, high }) => bound(context, condition, high, low, true)));
  }
  const [left, right] = [condition['left'], condition['right']];
  if (!isExpression(left) || !isExpression(right)) throw refuseShape(context, condition);
  switch (condition.type) {
    case 'COMPARE_GREATERTHAN':
      return [await bound(context, condition, left, right, false)];
    case 'COMPARE_GREATERTHANOREQUALTO':
      return [await bound(context, condition, left, right, true)];
    case 'COMPARE_LESSTHAN':
      return [await bound(context, condition, right, left, false)];
    case 'COMPARE_LESSTHANOREQUALTO':
      return [await bound(context, condition, right, left, true)];
    default:
      throw refuseShape(context, condition);
  }
}

function refuseShape(context: QueryContext, condition: Expression, hint = WRITE_NOW): Error {
  const at = nowIn(condition) ?? condition;
  if (condition.type === 'CONJUNCTION_OR')
    return refuse(context, at, 'now() inside of OR is not supported: no row could be let go for good', 'write one view for each side, or the condition on now() beside the OR, with AND'); // prettier-ignore
  return refuse(context, at, 'now() may only be compared with a time, by <, <=, >, >= or BETWEEN', hint);
}

/** A sum: so many times the clock, row times with their signs, and a constant. */
interface Sum {
  readonly now: number;
  readonly times: readonly { readonly time: Expression; readonly sign: number }[];
  readonly shift: bigint;
}

/** `high > low`, or `>=`. */
async function bound(
  context: QueryContext,
  condition: Expression,
  high: Expression,
  low: Expression,
  orEqual: boolean,
): Promise<ClockBound> {
  const difference = minus(await sum(context, high), await sum(context, low));
  const [only, second] = difference.times;
  if (Math.abs(difference.now) !== 1) throw refuseShape(context, condition);
  if (only === undefined || second !== undefined || only.sign !== -difference.now) {
    const hint = 'bring it into the form time > now() - INTERVAL …; the time may be computed: ts + lifetime > now()';
    throw refuseShape(context, condition, hint);
  }
  // time - now + shift > 0, or now - time + shift > 0
  return difference.now === -1
    ? { time: only.time, shift: difference.shift, until: true, orEqual }
    : { time: only.time, shift: -difference.shift, until: false, orEqual };
}

const minus = (a: Sum, b: Sum): Sum => ({
  now: a.now - b.now,
  times: [...a.times, ...b.times.map(({ time, sign }) => ({ time, sign: -sign }))],
  shift: a.shift - b.shift,
});

async function sum(context: QueryContext, expression: Expression): Promise<Sum> {
  const at = nowIn(expression);
  if (at === undefined) {
    const interval = await context.service.interval(expression);
    if (interval === undefined) return { now: 0, times: [{ time: expression, sign: 1 }], shift: 0n };
    if (interval.months === 0) return { now: 0, times: [], shift: interval.micros };
    throw refuse(context, expression, 'now() less months is not supported: months differ in length', "write days, or add the months to the column: ts + INTERVAL '1 month' > now()"); // prettier-ignore
  }
  if (isNow(expression)) return { now: 1, times: [], shift: 0n };
  const same = sameInstant(expression);
  if (same !== undefined) return sum(context, same);
  const [left, right] = expressions(expression['children']);
  const operator = text(expression['function_name']);
  if (left === undefined || right === undefined || (operator !== '+' && operator !== '-'))
    throw refuse(context, at, 'now() may only be compared with a time, or with an interval added', WRITE_NOW);
  const [a, b] = [await sum(context, left), await sum(context, right)];
  return operator === '-' ? minus(a, b) : minus(a, minus({ now: 0, times: [], shift: 0n }, b));
}

/** A cast, or AT TIME ZONE 'UTC': the same instant, for a TIMESTAMP is UTC. */
function sameInstant(expression: Expression): Expression | undefined {
  const child = expression['child'];
  if (expression.class === 'CAST' && isExpression(child) && isNode(expression['cast_type'])) {
    const type = text(expression['cast_type']['id']);
    return /^TIMESTAMP( WITH TIME ZONE)?$/.test(type) ? child : undefined;
  }
  const [zone, time] = expressions(expression['children']);
  if (text(expression['function_name']) !== 'timezone' || zone === undefined || !isNode(zone['value']))
    return undefined;
  return text(zone['value']['value']).toUpperCase() === 'UTC' ? time : undefined;
}
