import { COMPARABLE, Expressions, exact, plainest, references, type Reference } from './expressions.ts';
import type { Column, Node, Type } from './node.ts';
import type { Random } from './random.ts';

/** What operators draw with: chance, names, and inputs. */
export interface Draw {
  readonly random: Random;
  /** What the input may be built of. */
  relation(depth: number): Node;
  fresh(): string;
  /** Whether tables that change may be read. */
  readonly tables: boolean;
}

export interface Item extends Column {
  readonly sql: string;
}

export const itemList = (items: readonly Item[]): string =>
  items.map(({ name, sql }) => `${sql} AS ${name}`).join(', ');

export const columnsOf = (items: readonly Item[]): readonly Column[] => items.map(({ name, type }) => ({ name, type }));

export const clause = (word: string, text: string | undefined): string =>
  text === undefined ? '' : ` ${word} ${text}`;

const PLAIN_TYPES: readonly (readonly [number, Type])[] = [
  [10, 'num'], [6, 'str'], [4, 'dbl'], [2, 'bool'], [2, 'ts'], [2, 'list'], [1, 'struct'],
]; // prettier-ignore

export const drawType = (draw: Draw): Type => draw.random.weighted(PLAIN_TYPES);

/** A name for a result's column: now and then one that sources have too. */
export function drawName(draw: Draw, taken: readonly string[]): string {
  const old = draw.random.pick(['k', 'v', 's', 'id', 'n']);
  return draw.random.oneIn(4) && !taken.includes(old) ? old : draw.fresh();
}

export function drawItems(draw: Draw, scope: readonly Reference[], least: number, most: number): readonly Item[] {
  const expressions = new Expressions(draw.random, scope);
  const items: Item[] = [];
  for (let i = draw.random.int(least, most); i > 0; i--) {
    const column = draw.random.oneIn(3) ? undefined : draw.random.maybe(scope);
    const type = column?.type ?? drawType(draw);
    const name = drawName(draw, items.map((item) => item.name)); // prettier-ignore
    items.push({ name, type, sql: column?.text ?? expressions.of(type) });
  }
  return items;
}

/** The same items, one after another of them as plain as its type allows. */
export function simplerItems(items: readonly Item[]): readonly (readonly Item[])[] {
  return items.flatMap((item, i) => {
    const plain = plainest(item.type);
    return plain.length < item.sql.length ? [items.with(i, { ...item, sql: plain })] : [];
  });
}

export interface Projection {
  readonly op: string;
  readonly items: readonly Item[];
  readonly where?: string | undefined;
  /** `SELECT DISTINCT`. */
  readonly distinct?: boolean;
}

/** SELECT items FROM input AS x WHERE …. */
export function project(of: Projection, input: Node): Node {
  return {
    op: of.op,
    inputs: [input],
    columns: columnsOf(of.items),
    text: ([x]) =>
      `SELECT ${of.distinct === true ? 'DISTINCT ' : ''}${itemList(of.items)} FROM ${x?.from ?? ''} AS x${clause('WHERE', of.where)}`,
    over: ([next = input]) => project(of, next),
    simpler: () => [
      ...(of.where === undefined ? [] : [project({ ...of, where: undefined }, input)]),
      ...(of.distinct === true ? [project({ ...of, distinct: false }, input)] : []),
      ...simplerItems(of.items).map((items) => project({ ...of, items }, input)),
    ],
  };
}

/** Any relation with the wanted columns out of another one: its own columns where they fit, plain values elsewhere. */
export function coerce(input: Node, wanted: readonly Column[]): Node {
  const same = wanted.length === input.columns.length && wanted.every(({ name, type }, i) => input.columns[i]?.name === name && input.columns[i].type === type); // prettier-ignore
  if (same) return input;
  const left = [...input.columns];
  const items = wanted.map((column): Item => {
    const fits = (other: Column): boolean =>
      other.type === column.type || (column.type === 'apx' && other.type === 'dbl');
    let at = left.findIndex((other) => fits(other) && other.name === column.name);
    if (at < 0) at = left.findIndex(fits);
    const found = at < 0 ? input.columns.find(fits) : left.splice(at, 1)[0];
    return { ...column, sql: found === undefined ? plainest(column.type) : `x.${found.name}` };
  });
  return project({ op: 'project', items }, input);
}

/** The relation without the columns that nothing may compare. */
export function comparable(draw: Draw, input: Node): Node {
  const columns = exact(input.columns);
  if (columns.length === input.columns.length) return input;
  return coerce(input, columns.length > 0 ? columns : [{ name: draw.fresh(), type: 'num' }]);
}

/** A column to compare by of one of the types, or of any. */
export function drawKey(draw: Draw, input: Node, types: readonly Type[] = COMPARABLE): Column | undefined {
  return draw.random.maybe(input.columns.filter((column) => types.includes(column.type)));
}

export const scopeOf = (input: Node, alias = 'x'): readonly Reference[] => references(alias, input.columns);

/** ORDER BY that leaves no two different rows equal: some columns first, then all. */
export function totalOrder(draw: Draw, columns: readonly Column[], alias = 'x'): string {
  const shuffled = draw.random.some(columns, columns.length, columns.length);
  return shuffled.map((column) => `${alias}.${column.name}${direction(draw)}`).join(', ');
}

export const direction = (draw: Draw): string =>
  draw.random.weighted([[5, ''], [3, ' DESC'], [1, ' NULLS FIRST'], [1, ' DESC NULLS LAST']]); // prettier-ignore
