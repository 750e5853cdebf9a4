import { Expressions } from '../expressions.ts';
import type { Column, Node, Type } from '../node.ts';
import { coerce, columnsOf, comparable, drawItems, drawKey, itemList, scopeOf, simplerItems, clause, type Draw, type Item } from '../draw.ts'; // prettier-ignore
import { keyed } from './aggregate.ts';

/**
 * Joins without a bound on time. No condition names a time column as it is: the engine would read a bound off it, and
 * rightly refuse late rows.
 */

/** Types of keys that no bound on time can be read off. */
export const JOINABLE = ['num', 'str', 'dbl', 'bool', 'list', 'struct'] as const satisfies readonly Type[];

interface Join {
  readonly op: string;
  readonly words: string;
  readonly items: readonly Item[];
  readonly on: string | undefined;
  readonly where: string | undefined;
}

function joinNode(of: Join, left: Node, right: Node): Node {
  return {
    op: of.op,
    inputs: [left, right],
    columns: columnsOf(of.items),
    text: ([x, y]) =>
      `SELECT ${itemList(of.items)} FROM ${x?.from ?? ''} AS x${of.words} ${y?.from ?? ''} AS y${clause('ON', of.on)}${clause('WHERE', of.where)}`,
    over: ([a = left, b = right]) => joinNode(of, a, b),
    simpler: () => [
      ...(of.where === undefined || of.words === ',' ? [] : [joinNode({ ...of, where: undefined }, left, right)]),
      ...(of.op === 'inner join' || of.words === ',' || of.on === undefined ? [] : [joinNode({ ...of, op: 'inner join', words: ' JOIN' }, left, right)]),
      ...simplerItems(of.items).map((items) => joinNode({ ...of, items }, left, right)),
    ],
  }; // prettier-ignore
}

const WORDS = {
  'inner join': [' JOIN', ' INNER JOIN'],
  'left join': [' LEFT JOIN', ' LEFT OUTER JOIN'],
  'right join': [' RIGHT JOIN'],
  'full join': [' FULL JOIN', ' FULL OUTER JOIN'],
} as const;

/** A condition over `x` and `y`: equal keys, mostly, and now and then something else too or instead. */
function drawOn(draw: Draw, left: Node, right: Node): string {
  const { random } = draw;
  const conditions: string[] = [];
  const pairs = left.columns.flatMap((l) => right.columns.filter((r) => r.type === l.type && joinable(l)).map((r) => [l, r] as const)); // prettier-ignore
  for (const [l, r] of random.some(pairs, 1, 2)) {
    const equality = random.weighted([[6, '='], [2, 'IS NOT DISTINCT FROM']]); // prettier-ignore
    conditions.push(`x.${l.name} ${equality} y.${r.name}`);
  }
  const inequality = random.maybe(pairs);
  if (inequality !== undefined && random.oneIn(5)) {
    const condition = `x.${inequality[0].name} ${random.pick(['<', '<=', '>', '<>'])} y.${inequality[1].name}`;
    if (random.oneIn(2)) conditions.splice(0, conditions.length, condition);
    else conditions.push(condition);
  }
  const without = (node: Node, alias: string) => scopeOf(node, alias).filter(({ type }) => type !== 'ts' && type !== 'apx'); // prettier-ignore
  if (random.oneIn(4)) conditions.push(new Expressions(random, [...without(left, 'x'), ...without(right, 'y')]).condition(1)); // prettier-ignore
  return conditions.length === 0 ? 'true' : conditions.join(' AND ');
}

const joinable = (column: Column): boolean => JOINABLE.some((type) => type === column.type);

export function join(draw: Draw, depth: number): Node {
  const { random } = draw;
  const op = random.weighted([[3, 'inner join'], [3, 'left join'], [2, 'right join'], [2, 'full join']] as const); // prettier-ignore
  const left = draw.relation(depth - 1);
  const right = random.oneIn(4) ? left : draw.relation(depth - 1);
  const on = drawOn(draw, left, right);
  const items = pairItems(draw, left, right);
  const commas = op === 'inner join' && random.oneIn(3);
  if (commas) return joinNode({ op, words: ',', items, on: undefined, where: on }, left, right);
  const scope = [...scopeOf(left, 'x'), ...scopeOf(right, 'y')].filter(({ type }) => type !== 'ts');
  const where = random.oneIn(6) ? new Expressions(random, scope).condition(1) : undefined;
  return joinNode({ op, words: random.pick(WORDS[op]), items, on, where }, left, right);
}

function pairItems(draw: Draw, left: Node, right: Node): readonly Item[] {
  const items = [...drawItems(draw, scopeOf(left, 'x'), 1, 2), ...drawItems(draw, scopeOf(right, 'y'), 1, 2)];
  return items.map((item) => ({ ...item, name: draw.fresh() }));
}

/** Small sides, so that the product stays small. */
export function cross(draw: Draw, depth: number): Node {
  const left = draw.relation(depth - 1);
  const right = draw.relation(depth - 1);
  const words = draw.random.pick([' CROSS JOIN', ',']);
  return joinNode({ op: 'cross join', words, items: pairItems(draw, left, right), on: undefined, where: undefined }, left, right); // prettier-ignore
}

interface Using {
  readonly words: string;
  readonly shared: Column;
  readonly columns: readonly Column[];
}

/** USING and NATURAL, all columns by a star. */
export function using(draw: Draw, depth: number): Node {
  const { random } = draw;
  const left = draw.relation(depth - 1);
  const right = draw.relation(depth - 1);
  const key = drawKey(draw, left, JOINABLE) ?? { name: 'k', type: 'num' };
  const shared: Column = { name: random.pick(['j', 'k', draw.fresh()]), type: key.type };
  const side = (of: Node, count: number): readonly Column[] => [
    shared,
    ...random.some(of.columns.filter(({ type }) => type !== 'ts'), 1, count).map(({ type }) => ({ name: draw.fresh(), type })),
  ]; // prettier-ignore
  const [l, r] = [coerce(left, side(left, 2)), coerce(right, side(right, 2))];
  const kind = random.pick(['', 'LEFT ', 'RIGHT ', 'FULL ']);
  const natural = random.oneIn(2);
  return usingNode({ words: natural ? `NATURAL ${kind}JOIN` : `${kind}JOIN`, shared, columns: [...l.columns, ...r.columns.slice(1)] }, l, r); // prettier-ignore
}

function usingNode(of: Using, left: Node, right: Node): Node {
  const natural = of.words.startsWith('NATURAL');
  return {
    op: natural ? 'natural join' : `join using`,
    inputs: [left, right],
    columns: of.columns,
    text: ([x, y]) =>
      `SELECT * FROM ${x?.from ?? ''} AS x ${of.words} ${y?.from ?? ''} AS y${natural ? '' : ` USING (${of.shared.name})`}`,
    over: ([a = left, b = right]) => usingNode(of, a, b),
    simpler: () => (/LEFT|RIGHT|FULL/.test(of.words) ? [usingNode({ ...of, words: of.words.replace(/(LEFT|RIGHT|FULL) /, '') }, left, right)] : []), // prettier-ignore
  };
}

/** ASOF: the right side has one row for each key and place in the order. */
export function asof(draw: Draw, depth: number): Node {
  const { random } = draw;
  const left = comparable(draw, draw.relation(depth - 1));
  const wanted: readonly Column[] = [
    { name: draw.fresh(), type: random.pick(['num', 'str']) },
    { name: draw.fresh(), type: 'num' },
    { name: draw.fresh(), type: 'str' },
  ];
  const l = coerce(left, wanted);
  const r = keyed(draw, coerce(draw.relation(depth - 1), wanted), wanted.slice(0, 2).map(({ name }) => name)); // prettier-ignore
  const [key, at] = [wanted[0]?.name ?? '', wanted[1]?.name ?? ''];
  const [rightKey, rightAt] = [r.columns[0]?.name ?? '', r.columns[1]?.name ?? ''];
  const on = `x.${key} = y.${rightKey} AND x.${at} ${random.pick(['>=', '>', '<=', '<'])} y.${rightAt}`;
  const outer = random.oneIn(2);
  return joinNode({ op: outer ? 'asof left join' : 'asof join', words: outer ? ' ASOF LEFT JOIN' : ' ASOF JOIN', items: pairItems(draw, l, r), on, where: undefined }, l, r); // prettier-ignore
}

/** Three inputs in one FROM, two of them perhaps the same. */
export function three(draw: Draw, depth: number): Node {
  const [x, y] = [draw.relation(depth - 1), draw.relation(depth - 1)];
  const z = draw.random.oneIn(2) ? x : draw.relation(depth - 1);
  const words = draw.random.pick([[',', ','], [' JOIN', ' JOIN'], [' LEFT JOIN', ' JOIN'], [' JOIN', ' LEFT JOIN'], [' LEFT JOIN', ' FULL JOIN']]); // prettier-ignore
  const items = [...pairItems(draw, x, y), ...drawItems(draw, scopeOf(z, 'z'), 1, 1).map((item) => ({ ...item, name: draw.fresh() }))]; // prettier-ignore
  return threeNode({ words, items, on: [drawOn(draw, x, y), drawOn(draw, x, z).replaceAll(/\by\./g, 'z.')] }, x, y, z);
}

interface Three {
  readonly words: readonly string[];
  readonly items: readonly Item[];
  readonly on: readonly string[];
}

function threeNode(of: Three, x: Node, y: Node, z: Node): Node {
  const [first = ',', second = ','] = of.words;
  const commas = first === ',';
  return {
    op: commas || of.words.every((word) => word === ' JOIN') ? 'three inputs' : 'three inputs, outer',
    inputs: [x, y, z],
    columns: columnsOf(of.items),
    text: ([a, b, c]) => {
      const [on = 'true', alsoOn = 'true'] = of.on;
      const from = `FROM ${a?.from ?? ''} AS x${first} ${b?.from ?? ''} AS y${commas ? '' : ` ON ${on}`}${second} ${c?.from ?? ''} AS z${commas ? '' : ` ON ${alsoOn}`}`;
      return `SELECT ${itemList(of.items)} ${from}${commas ? ` WHERE ${on} AND ${alsoOn}` : ''}`;
    },
    over: ([a = x, b = y, c = z]) => threeNode(of, a, b, c),
    simpler: () => [
      ...(of.words.every((word) => word === ' JOIN') ? [] : [threeNode({ ...of, words: [' JOIN', ' JOIN'] }, x, y, z)]),
      ...simplerItems(of.items).map((items) => threeNode({ ...of, items }, x, y, z)),
    ],
  };
}
