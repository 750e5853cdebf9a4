import { COMPARABLE, Expressions, plainest as plain, type Reference } from '../expressions.ts';
import type { Node, Type } from '../node.ts';
import { clause, columnsOf, comparable, drawItems, drawName, itemList, project, scopeOf, simplerItems, type Draw, type Item } from '../draw.ts'; // prettier-ignore
import type { Random } from '../random.ts';

interface Call {
  readonly sql: string;
  readonly type: Type;
}

/**
 * An aggregate call over a scope. Whatever picks among rows gets an order that leaves nothing open: by its own
 * arguments, where these are all that it shows.
 */
export function drawCall(random: Random, scope: readonly Reference[]): Call {
  const expressions = new Expressions(random, scope);
  const num = (): string => expressions.of('num', 1);
  const type = random.pick(COMPARABLE);
  const any = expressions.column(type) ?? num();
  const anyType: Type = expressions.column(type) === undefined ? 'num' : type;
  const calls: readonly (readonly [number, () => Call])[] = [
    [4, () => ({ sql: 'count(*)', type: 'num' })],
    [2, () => ({ sql: `count(${any})`, type: 'num' })],
    [4, () => ({ sql: `sum(${num()})`, type: 'num' })],
    [3, () => ({ sql: `${random.pick(['min', 'max'])}(${any})`, type: anyType })],
    [2, () => ({ sql: `avg(${num()})`, type: 'apx' })],
    [1, () => ({ sql: `sum(${expressions.of('dbl', 1)})`, type: 'apx' })],
    [1, () => ({ sql: `${random.pick(['bool_or', 'bool_and'])}(${expressions.condition(1)})`, type: 'bool' })],
    [1, () => ({ sql: `${random.pick(['bit_xor', 'bit_and', 'bit_or'])}(CAST(${num()} AS BIGINT))`, type: 'num' })],
    [2, () => ({ sql: `count(DISTINCT ${any})`, type: 'num' })],
    [1, () => ({ sql: `sum(DISTINCT ${num()})`, type: 'num' })],
    [1, () => ({ sql: `count_if(${expressions.condition(1)})`, type: 'num' })],
    // Of great numbers that are close together a variance keeps few digits, and which ones depends on the order.
    [1, () => ({ sql: `${random.pick(['median', 'stddev', 'var_pop'])}((${num()}) % 100)`, type: 'apx' })],
    [1, () => quantile(expressions.column('num'))],
    [1, () => ({ sql: `approx_count_distinct(${any})`, type: 'num' })],
    [2, () => picked('list', num())],
    [1, () => ({ ...ordered('string_agg', expressions.of('str', 1), ", '-'"), type: 'str' })],
    [1, () => ({ ...ordered(random.pick(['first', 'last', 'any_value']), any), type: anyType })],
    [1, () => ({ ...ordered('mode', any), type: anyType })],
    [1, () => extreme(random, any, anyType, num())],
    [1, () => ({ sql: `len(map_keys(histogram(${num()})))`, type: 'num' })],
  ]; // prettier-ignore
  const call = random.weighted(calls)();
  const filter = random.oneIn(6) && call.sql.endsWith(')') && !call.sql.startsWith('len(') ? ` FILTER (WHERE ${expressions.condition(1)})` : ''; // prettier-ignore
  return { ...call, sql: `${call.sql}${filter}` };
}

/** DuckDB does not take a constant there. */
const quantile = (column: string | undefined): Call =>
  column === undefined ? { sql: 'count(*)', type: 'num' } : { sql: `quantile_disc(${column}, 0.25)`, type: 'num' };

const ordered = (name: string, argument: string, more = ''): { sql: string } => ({
  sql: `${name}(${argument}${more} ORDER BY ${argument})`,
});

const picked = (name: string, argument: string): Call => ({ ...ordered(name, argument), type: 'list' });

/** The other column breaks ties. */
function extreme(random: Random, shown: string, type: Type, by: string): Call {
  return { sql: `${random.pick(['arg_min', 'arg_max'])}(${shown}, ${by} ORDER BY ${shown})`, type };
}

export function drawCalls(draw: Draw, scope: readonly Reference[], least: number, most: number): readonly Item[] {
  return Array.from({ length: draw.random.int(least, most) }, () => ({ name: draw.fresh(), ...drawCall(draw.random, scope) })); // prettier-ignore
}

export interface Grouping {
  readonly keys: readonly Item[];
  readonly calls: readonly Item[];
  readonly where: string | undefined;
  readonly having: string | undefined;
  /** After GROUP BY, for the number of keys. */
  readonly by: 'positions' | 'all' | 'sets' | 'rollup' | 'cube';
}

export function group(draw: Draw, depth: number): Node {
  const { random } = draw;
  const by = random.weighted([[6, 'positions'], [2, 'all']] as const); // prettier-ignore
  return grouped(draw, draw.relation(depth - 1), by, random.int(1, 2));
}

export const total = (draw: Draw, depth: number): Node => grouped(draw, draw.relation(depth - 1), 'positions', 0);

export function groupingSets(draw: Draw, depth: number): Node {
  const by = draw.random.pick(['sets', 'rollup', 'cube'] as const);
  return grouped(draw, draw.relation(depth - 1), by, draw.random.int(1, 2));
}

function grouped(draw: Draw, input: Node, by: Grouping['by'], keyCount: number): Node {
  const { random } = draw;
  const scope = scopeOf(input);
  const keyScope = scope.filter(({ type }) => type !== 'apx');
  const keys = drawItems(draw, keyScope, keyCount, keyCount).map((key) => ({ ...key, name: draw.fresh() }));
  const calls = drawCalls(draw, scope, keyCount === 0 ? 1 : 0, 3);
  const expressions = new Expressions(random, scope);
  return groupNode(
    {
      keys, calls, by,
      where: random.oneIn(4) ? expressions.condition(1) : undefined,
      having: random.oneIn(4) ? drawHaving(random, expressions) : undefined,
    },
    input,
  ); // prettier-ignore
}

export function drawHaving(random: Random, expressions: Expressions): string {
  const num = expressions.of('num', 0);
  return random.pick(['count(*) > 1', 'count(*) % 2 = 0', `sum(${num}) > 0`, `max(${num}) <> 2`, `count(${num}) < 3`]);
}

function groupNode(of: Grouping, input: Node): Node {
  const { keys, calls, by } = of;
  const items = [...keys, ...calls];
  return {
    op: by === 'positions' || by === 'all' ? (keys.length === 0 ? 'aggregate without keys' : 'group by') : `group by ${by}`,
    inputs: [input],
    columns: columnsOf(items),
    text: ([x]) =>
      `SELECT ${itemList(items)} FROM ${x?.from ?? ''} AS x${clause('WHERE', of.where)}${clause('GROUP BY', groupBy(of))}${clause('HAVING', of.having)}`,
    over: ([next = input]) => groupNode(of, next),
    simpler: () => [
      ...(of.where === undefined ? [] : [groupNode({ ...of, where: undefined }, input)]),
      ...(of.having === undefined ? [] : [groupNode({ ...of, having: undefined }, input)]),
      ...(by === 'positions' ? [] : [groupNode({ ...of, by: 'positions' }, input)]),
      ...simplerItems(keys).map((next) => groupNode({ ...of, keys: next }, input)),
      ...simplerCalls(calls).map((next) => groupNode({ ...of, calls: next }, input)),
      ...(keys.length === 0 ? [] : [project({ op: 'map', items: items.map((item) => ({ ...item, sql: isCall(calls, item) ? plain(item.type) : item.sql })) }, input)]),
    ],
  }; // prettier-ignore
}

const isCall = (calls: readonly Item[], item: Item): boolean => calls.includes(item);

export const simplerCalls = (calls: readonly Item[]): readonly (readonly Item[])[] =>
  calls.flatMap((call, i) => {
    const sql = call.type === 'num' ? 'count(*)' : plain(call.type);
    return sql.length < call.sql.length ? [calls.with(i, { ...call, sql })] : [];
  });

function groupBy({ keys, by }: Grouping): string | undefined {
  // A constant would be taken as a position.
  const texts = keys.map(({ sql }, i) => (sql.includes('x.') ? sql : String(i + 1)));
  if (keys.length === 0) return undefined;
  switch (by) {
    case 'positions':
      return keys.map((_, i) => i + 1).join(', ');
    case 'all':
      return 'ALL';
    case 'sets':
      return `GROUPING SETS ((${texts.join(', ')}), (${texts[0] ?? ''}), ())`;
    case 'rollup':
      return `ROLLUP (${texts.join(', ')})`;
    case 'cube':
      return `CUBE (${texts.join(', ')})`;
  }
}

export function distinct(draw: Draw, depth: number): Node {
  const input = comparable(draw, draw.relation(depth - 1));
  const items = drawItems(draw, scopeOf(input), 1, 3);
  const where = draw.random.oneIn(4) ? new Expressions(draw.random, scopeOf(input)).condition(1) : undefined;
  return project({ op: 'distinct', items, where, distinct: true }, input);
}

/** Groups by some columns of an input, so that these name its rows. */
export function keyed(draw: Draw, input: Node, keys: readonly string[]): Node {
  const items = keys.map((key): Item => {
    const type = input.columns.find(({ name }) => name === key)?.type ?? 'num';
    return { name: drawName(draw, keys), type, sql: `x.${key}` };
  });
  const calls = drawCalls(draw, scopeOf(input), 1, 2);
  const names = items.map((item, i) => ({ ...item, name: `${draw.fresh()}_${i}` }));
  return groupNode({ keys: names, calls, where: undefined, having: undefined, by: 'positions' }, input);
}
