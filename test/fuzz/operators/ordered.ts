import { Expressions, plainest } from '../expressions.ts';
import type { Dialect, Node } from '../node.ts';
import { clause, columnsOf, comparable, direction, drawItems, drawKey, itemList, project, scopeOf, simplerItems, totalOrder, type Draw, type Item } from '../draw.ts'; // prettier-ignore

/** What picks by an order: top-n, DISTINCT ON, OVER, QUALIFY. The order leaves no two different rows equal. */

interface Ordered {
  readonly op: string;
  readonly items: readonly Item[];
  /** After SELECT. */
  readonly prefix?: string;
  readonly where?: string | undefined;
  readonly suffix: string;
  /** The same for DuckDB, where it is spelled differently. */
  readonly batchSuffix?: string | undefined;
}

function orderedNode(of: Ordered, input: Node): Node {
  const suffix = (dialect: Dialect): string => (dialect === 'batch' ? (of.batchSuffix ?? of.suffix) : of.suffix);
  return {
    op: of.op,
    inputs: [input],
    columns: columnsOf(of.items),
    text: ([x], dialect) =>
      `SELECT ${of.prefix ?? ''}${itemList(of.items)} FROM ${x?.from ?? ''} AS x${clause('WHERE', of.where)}${suffix(dialect)}`,
    over: ([next = input]) => orderedNode(of, next),
    simpler: () => [
      ...(of.where === undefined ? [] : [orderedNode({ ...of, where: undefined }, input)]),
      ...simplerItems(of.items).map((items) => orderedNode({ ...of, items }, input)),
      ...(of.suffix.startsWith(' QUALIFY') ? [project({ op: 'map', items: of.items, where: of.where }, input)] : []),
    ],
  };
}

export function topN(draw: Draw, depth: number): Node {
  const { random } = draw;
  const input = comparable(draw, draw.relation(depth - 1));
  const items = drawItems(draw, scopeOf(input), 1, 3);
  const order = totalOrder(draw, input.columns);
  const [count, offset] = [random.int(1, 5), random.oneIn(3) ? random.int(1, 3) : undefined];
  const plain = ` ORDER BY ${order} LIMIT ${count}${offset === undefined ? '' : ` OFFSET ${offset}`}`;
  const fetch = offset === undefined && random.oneIn(4);
  const where = random.oneIn(4) ? new Expressions(random, scopeOf(input)).condition(1) : undefined;
  return orderedNode(
    { op: offset === undefined ? 'top-n' : 'top-n with offset', items, where, suffix: fetch ? ` ORDER BY ${order} FETCH FIRST ${count} ROWS ONLY` : plain, batchSuffix: plain },
    input,
  ); // prettier-ignore
}

export function distinctOn(draw: Draw, depth: number): Node {
  const input = comparable(draw, draw.relation(depth - 1));
  const keys = draw.random.some(input.columns, 1, 2);
  const rest = totalOrder(draw, input.columns);
  const on = keys.map(({ name }) => `x.${name}`).join(', ');
  return orderedNode(
    { op: 'distinct on', items: drawItems(draw, scopeOf(input), 1, 3), prefix: `DISTINCT ON (${on}) `, suffix: ` ORDER BY ${on}, ${rest}` },
    input,
  ); // prettier-ignore
}

interface Over {
  readonly sql: string;
  readonly type: Item['type'];
}

/** A window function with its OVER clause. */
function drawOver(draw: Draw, input: Node): Over {
  const { random } = draw;
  const key = random.oneIn(4) ? undefined : drawKey(draw, input);
  const partition = key === undefined ? '' : `PARTITION BY x.${key.name}`;
  const all = `${partition} ORDER BY ${totalOrder(draw, input.columns)}`.trim();
  const column = drawKey(draw, input) ?? { name: 'k', type: 'num' as const };
  const number = drawKey(draw, input, ['num']);
  const frame = `ROWS BETWEEN ${random.pick(['UNBOUNDED PRECEDING', '2 PRECEDING', '1 PRECEDING'])} AND ${random.pick(['CURRENT ROW', '1 FOLLOWING', 'UNBOUNDED FOLLOWING'])}`; // prettier-ignore
  const value = `x.${column.name}`;
  const choices: (readonly [number, () => Over])[] = [
    [4, () => ({ sql: `row_number() OVER (${all})`, type: 'num' })],
    [2, () => ({ sql: `${random.pick(['rank', 'dense_rank'])}() OVER (${partition} ORDER BY ${value}${direction(draw)})`, type: 'num' })],
    [3, () => ({ sql: `${random.pick(['lag', 'lead'])}(${value}${random.pick(['', ', 2'])}) OVER (${all})`, type: column.type })],
    [2, () => ({ sql: `${random.pick(['first_value', 'last_value'])}(${value}) OVER (${all}${random.oneIn(2) ? ` ${frame}` : ''})`, type: column.type })],
    [1, () => ({ sql: `nth_value(${value}, 2) OVER (${all})`, type: column.type })],
    [2, () => ({ sql: `count(*) OVER (${all} ${frame})`, type: 'num' })],
    [1, () => ({ sql: `count(*) OVER (${partition})`, type: 'num' })],
    [1, () => ({ sql: `ntile(2) OVER (${all})`, type: 'num' })],
    [1, () => ({ sql: `cume_dist() OVER (${partition} ORDER BY ${value})`, type: 'apx' })],
    [1, () => ({ sql: `max(${value}) OVER (${partition})`, type: column.type })],
  ]; // prettier-ignore
  if (number !== undefined) {
    const by = `x.${number.name}`;
    choices.push(
      [3, () => ({ sql: `sum(${by}) OVER (${all}${random.oneIn(2) ? ` ${frame}` : ''})`, type: 'num' })],
      [2, () => ({ sql: `sum(${by}) OVER (${partition} ORDER BY CAST(${by} AS BIGINT) RANGE BETWEEN ${random.int(0, 3)} PRECEDING AND CURRENT ROW)`, type: 'num' })],
      [1, () => ({ sql: `min(${by}) OVER (${partition} ORDER BY CAST(${by} AS BIGINT) RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING)`, type: 'num' })],
      [1, () => ({ sql: `avg(${by}) OVER (${partition} ORDER BY ${value})`, type: 'apx' })],
    ); // prettier-ignore
  }
  return random.weighted(choices)();
}

export function over(draw: Draw, depth: number): Node {
  const input = comparable(draw, draw.relation(depth - 1));
  const kept = drawItems(draw, scopeOf(input), 1, 2).map((item) => ({ ...item, name: draw.fresh() }));
  const windows = Array.from({ length: draw.random.int(1, 2) }, () => ({ name: draw.fresh(), ...drawOver(draw, input) })); // prettier-ignore
  const where = draw.random.oneIn(4) ? new Expressions(draw.random, scopeOf(input)).condition(1) : undefined;
  return orderedNode({ op: 'over', items: [...kept, ...windows], where, suffix: '' }, input);
}

export function qualify(draw: Draw, depth: number): Node {
  const { random } = draw;
  const input = comparable(draw, draw.relation(depth - 1));
  const items = drawItems(draw, scopeOf(input), 1, 3);
  const window = drawOver(draw, input);
  const against = window.type === 'num' ? `<= ${random.int(1, 3)}` : window.type === 'apx' ? '< 0.6' : `IS DISTINCT FROM ${plainest(window.type)}`; // prettier-ignore
  return orderedNode({ op: 'qualify', items, suffix: ` QUALIFY ${window.sql} ${against}` }, input);
}
