import { Expressions, plainest, references } from '../expressions.ts';
import type { Column, Node } from '../node.ts';
import { clause, columnsOf, comparable, drawItems, drawKey, itemList, scopeOf, simplerItems, totalOrder, type Draw, type Item } from '../draw.ts'; // prettier-ignore
import { JOINABLE } from './join.ts';

/** Subqueries in expressions and semi joins: `x` is the outer relation, `q` the inner one. */

interface Pair {
  readonly op: string;
  readonly items: readonly Item[];
  /** With `$q` in place of the inner relation. */
  readonly where: string | undefined;
  /** After FROM x. */
  readonly join?: string | undefined;
}

function pairNode(of: Pair, outer: Node, inner: Node): Node {
  return {
    op: of.op,
    inputs: [outer, inner],
    columns: columnsOf(of.items),
    text: ([x, q]) =>
      `SELECT ${itemList(of.items)} FROM ${x?.from ?? ''} AS x${of.join ?? ''}${clause('WHERE', of.where)}`.replaceAll('$q', () => q?.from ?? ''), // prettier-ignore
    over: ([a = outer, b = inner]) => pairNode(of, a, b),
    simpler: () => simplerItems(of.items).filter((items) => items.some(({ sql }) => sql.includes('$q')) || `${of.where ?? ''}${of.join ?? ''}`.includes('$q')).map((items) => pairNode({ ...of, items }, outer, inner)), // prettier-ignore
  };
}

function pair(draw: Draw, depth: number): { outer: Node; inner: Node; equal: string; key: Column; innerKey: Column } {
  const outer = draw.relation(depth - 1);
  const inner = comparable(draw, draw.random.oneIn(4) ? outer : draw.relation(depth - 1));
  const key = drawKey(draw, outer, JOINABLE) ?? { name: plainest('num'), type: 'num' };
  const outerText = outer.columns.includes(key) ? `x.${key.name}` : key.name;
  const innerKey = drawKey(draw, inner, [key.type]) ?? { name: plainest(key.type), type: key.type };
  const innerText = inner.columns.includes(innerKey) ? `q.${innerKey.name}` : innerKey.name;
  return {
    outer,
    inner,
    equal: `${innerText} = ${outerText}`,
    key: { ...key, name: outerText },
    innerKey: { ...innerKey, name: innerText },
  };
}

const innerScope = (inner: Node) => references('q', inner.columns).filter(({ type }) => type !== 'ts');

export function semi(draw: Draw, depth: number): Node {
  const { random } = draw;
  const { outer, inner, equal, key, innerKey } = pair(draw, depth);
  const items = drawItems(draw, scopeOf(outer), 1, 3);
  const condition = random.oneIn(2) ? new Expressions(random, innerScope(inner)).condition(1) : undefined;
  const both = [equal, ...(condition === undefined ? [] : [condition])].join(' AND ');
  const filter = clause('WHERE', condition);
  const made = random.weighted<readonly [op: string, where: string | undefined, join?: string]>([
    [3, ['in', `${key.name} IN (SELECT ${innerKey.name} FROM $q AS q${filter})`]],
    [3, ['not in', `${key.name} NOT IN (SELECT ${innerKey.name} FROM $q AS q${filter})`]],
    [3, ['exists', `EXISTS (SELECT 1 FROM $q AS q WHERE ${both})`]],
    [3, ['not exists', `NOT EXISTS (SELECT 1 FROM $q AS q WHERE ${both})`]],
    [1, ['exists without correlation', `EXISTS (SELECT 1 FROM $q AS q${filter})`]],
    [1, ['exists, not equal', `EXISTS (SELECT 1 FROM $q AS q WHERE ${equal.replace(' = ', random.pick([' < ', ' <> ']))})`]],
    [1, ['in, or something else', `(${key.name} IN (SELECT ${innerKey.name} FROM $q AS q${filter}) OR ${new Expressions(random, scopeOf(outer)).condition(1)})`]],
    [1, ['any', `${key.name} ${random.pick(['>', '='])} ANY (SELECT ${innerKey.name} FROM $q AS q)`]],
    [1, ['all', `${key.name} ${random.pick(['<=', '<>'])} ALL (SELECT ${innerKey.name} FROM $q AS q)`]],
    [2, ['semi join', undefined, ` SEMI JOIN $q AS q ON ${both}`]],
    [2, ['anti join', undefined, ` ANTI JOIN $q AS q ON ${both}`]],
  ]); // prettier-ignore
  const [op, where, join] = made;
  return pairNode({ op, items, where, join }, outer, inner);
}

/** One value of the inner relation, of the outer row's key or of all. */
function drawScalar(draw: Draw, inner: Node, equal: string | undefined): Item | undefined {
  const { random } = draw;
  const filter = clause('WHERE', equal);
  const column = drawKey(draw, inner, JOINABLE);
  const name = draw.fresh();
  if (column === undefined || random.oneIn(3)) return { name, type: 'num', sql: `(SELECT count(*) FROM $q AS q${filter})` };
  if (column.type === 'num' && random.oneIn(3)) return { name, type: 'num', sql: `(SELECT sum(q.${column.name}) FROM $q AS q${filter})` };
  if (random.oneIn(3)) {
    const order = totalOrder(draw, inner.columns, 'q');
    return { name, type: column.type, sql: `(SELECT q.${column.name} FROM $q AS q${filter} ORDER BY ${order} LIMIT 1)` };
  }
  return { name, type: column.type, sql: `(SELECT ${random.pick(['min', 'max'])}(q.${column.name}) FROM $q AS q${filter})` };
} // prettier-ignore

export function scalar(draw: Draw, depth: number): Node {
  const { random } = draw;
  const { outer, inner, equal } = pair(draw, depth);
  const correlated = random.oneIn(2);
  const on = correlated ? (random.oneIn(4) ? equal.replace(' = ', ' < ') : equal) : undefined;
  const value = drawScalar(draw, inner, on);
  if (value === undefined) return outer;
  const kept = drawItems(draw, scopeOf(outer), 1, 2).map((item) => ({ ...item, name: draw.fresh() }));
  const op = `scalar subquery, ${correlated ? 'correlated' : 'uncorrelated'}`;
  if (random.oneIn(2)) return pairNode({ op, items: [...kept, value], where: undefined }, outer, inner);
  const against = new Expressions(random, scopeOf(outer)).of(value.type, 0);
  const where = `${against} ${random.pick(['=', '<', '>=', 'IS DISTINCT FROM'])} ${value.sql}`;
  return pairNode({ op: `${op}, in WHERE`, items: kept, where }, outer, inner);
}

export function lateral(draw: Draw, depth: number): Node {
  const { random } = draw;
  const { outer, inner, equal } = pair(draw, depth);
  const items = drawItems(draw, references('q', inner.columns), 1, 2).map((item) => ({ ...item, name: draw.fresh() }));
  const kept = drawItems(draw, scopeOf(outer), 1, 2).map((item) => ({ ...item, name: draw.fresh() }));
  const shown = items.map(({ name, type }): Item => ({ name: draw.fresh(), type, sql: `l.${name}` }));
  const limited = random.oneIn(2) ? ` ORDER BY ${totalOrder(draw, inner.columns, 'q')} LIMIT ${random.int(1, 2)}` : '';
  const query = `(SELECT ${itemList(items)} FROM $q AS q WHERE ${equal}${limited}) AS l`;
  const outerJoin = random.oneIn(2);
  const join = outerJoin ? ` LEFT JOIN LATERAL ${query} ON true` : `, LATERAL ${query}`;
  return pairNode({ op: 'lateral join', items: [...kept, ...shown], where: undefined, join }, outer, inner);
}
