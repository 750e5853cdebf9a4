import { Expressions, plainest, references } from '../expressions.ts';
import { leaf, type Node } from '../node.ts';
import { clause, coerce, columnsOf, drawItems, drawType, itemList, project, scopeOf, simplerItems, type Draw, type Item } from '../draw.ts'; // prettier-ignore

/** Linear operators: filter, map, UNNEST, UNION ALL; and lists of constant rows. */

export function filter(draw: Draw, depth: number): Node {
  const input = draw.relation(depth - 1);
  const condition = new Expressions(draw.random, scopeOf(input)).condition();
  return starFilter(condition, input);
}

function starFilter(where: string, input: Node): Node {
  return {
    op: 'filter',
    inputs: [input],
    columns: input.columns,
    text: ([x]) => `SELECT x.* FROM ${x?.from ?? ''} AS x WHERE ${where}`,
    over: ([next = input]) => starFilter(where, next),
    simpler: () => [],
  };
}

export function map(draw: Draw, depth: number): Node {
  const input = draw.relation(depth - 1);
  const where = draw.random.oneIn(3) ? new Expressions(draw.random, scopeOf(input)).condition() : undefined;
  return project({ op: 'map', items: drawItems(draw, scopeOf(input), 1, 4), where }, input);
}

interface Unnest {
  readonly items: readonly Item[];
  readonly list: string;
  readonly ordinality: boolean;
  readonly where: string | undefined;
}

export function unnest(draw: Draw, depth: number): Node {
  const input = draw.relation(depth - 1);
  const { random } = draw;
  const list = new Expressions(random, scopeOf(input)).of('list');
  const ordinality = random.oneIn(2);
  const scope = [
    ...scopeOf(input),
    ...references('e', [{ name: 'el', type: 'num' }, ...(ordinality ? [{ name: 'nth', type: 'num' } as const] : [])]),
  ];
  const items: readonly Item[] = [
    { name: draw.fresh(), type: 'num', sql: 'e.el' },
    ...(ordinality ? [{ name: draw.fresh(), type: 'num', sql: 'e.nth' } as const] : []),
    ...drawItems(draw, scopeOf(input), 0, 2).map((item) => ({ ...item, name: draw.fresh() })),
  ];
  const where = random.oneIn(3) ? new Expressions(random, scope).condition(1) : undefined;
  return unnestNode({ items, list, ordinality, where }, input);
}

function unnestNode(of: Unnest, input: Node): Node {
  return {
    op: of.ordinality ? 'unnest with ordinality' : 'unnest',
    inputs: [input],
    columns: columnsOf(of.items),
    text: ([x]) =>
      `SELECT ${itemList(of.items)} FROM ${x?.from ?? ''} AS x, UNNEST(${of.list})${of.ordinality ? ' WITH ORDINALITY AS e(el, nth)' : ' AS e(el)'}${clause('WHERE', of.where)}`,
    over: ([next = input]) => unnestNode(of, next),
    simpler: () => [
      ...(of.list === plainest('list') ? [] : [unnestNode({ ...of, list: plainest('list') }, input)]),
      ...(of.where === undefined ? [] : [unnestNode({ ...of, where: undefined }, input)]),
      ...simplerItems(of.items).map((items) => unnestNode({ ...of, items }, input)),
    ],
  };
}

const SET_OPERATIONS = ['UNION', 'EXCEPT', 'INTERSECT', 'EXCEPT ALL', 'INTERSECT ALL'] as const;

export const unionAll = (draw: Draw, depth: number): Node => setOperation(draw, depth, 'UNION ALL');

export const sets = (draw: Draw, depth: number): Node => setOperation(draw, depth, draw.random.pick(SET_OPERATIONS));

function setOperation(draw: Draw, depth: number, word: string): Node {
  const left = draw.relation(depth - 1);
  const right = draw.relation(depth - 1);
  const wanted = Array.from({ length: draw.random.int(1, 3) }, () => {
    const shared = draw.random.maybe(left.columns.filter(({ type }) => type !== 'apx'));
    return { name: draw.fresh(), type: shared?.type ?? drawType(draw) };
  });
  return setNode(word, coerce(left, wanted), coerce(right, wanted));
}

function setNode(word: string, left: Node, right: Node): Node {
  return {
    op: word.toLowerCase(),
    inputs: [left, right],
    columns: left.columns,
    text: ([x, y]) => `(${x?.query ?? ''}) ${word} (${y?.query ?? ''})`,
    over: ([a = left, b = right]) => setNode(word, a, b),
    simpler: () => (word === 'UNION ALL' ? [] : [setNode('UNION ALL', left, right)]),
  };
}

export function values(draw: Draw): Node {
  const columns = [{ name: draw.fresh(), type: 'num' }, { name: draw.fresh(), type: 'str' }] as const; // prettier-ignore
  const rows = draw.random.some(
    ["(0, 'a')", "(1, 'b')", "(1, 'cc')", '(2, NULL::VARCHAR)', "(NULL::INTEGER, 'a')"],
    1,
    4,
  );
  return leaf('values', columns, () => `SELECT * FROM (VALUES ${rows.join(', ')}) AS w(${columns.map(({ name }) => name).join(', ')})`); // prettier-ignore
}
