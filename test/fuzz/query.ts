import type { Draw } from './draw.ts';
import { closed, define, leaf, nodesOf, render, tablesOf, type Dialect, type Node, type Rendered } from './node.ts';
import { distinct, group, groupingSets, total } from './operators/aggregate.ts';
import { asof, cross, join, three, using } from './operators/join.ts';
import { filter, map, sets, unionAll, unnest, values } from './operators/linear.ts';
import { distinctOn, over, qualify, topN } from './operators/ordered.ts';
import { lateral, scalar, semi } from './operators/subquery.ts';
import { boundedJoin, closable, windowed, windowRows } from './operators/window.ts';
import type { Random } from './random.ts';
import { SOURCE_COLUMNS, SOURCES, TABLES } from './sources.ts';

/** One view under test. */
export interface Query {
  readonly name: string;
  readonly root: Node;
  /** EMIT ON WINDOW CLOSE. */
  readonly onClose: boolean;
}

const OPERATORS: readonly (readonly [number, (draw: Draw, depth: number) => Node])[] = [
  [3, filter], [4, map], [2, unnest], [2, unionAll], [3, sets], [2, distinct], [2, distinctOn], [5, group], [2, total],
  [2, groupingSets], [6, join], [1, cross], [2, using], [2, asof], [2, three], [5, semi], [4, scalar], [1, lateral],
  [4, over], [2, qualify], [3, topN],
]; // prettier-ignore

const MOST_NODES = 12;

/** Draws query trees. Names of columns and views are unique within one drawer. */
export class Queries {
  private readonly random: Random;
  private readonly tables: boolean;
  private names = 0;
  private nodes = 0;
  private shared: Node[] = [];

  constructor(random: Random, tables: boolean) {
    this.random = random;
    this.tables = tables;
  }

  draw(name: string): Query {
    for (;;) {
      this.nodes = 0;
      this.shared = [];
      const onClose = this.random.oneIn(6);
      const root = onClose ? closable(this.drawing(name)) : this.operator(name, this.random.weighted([[2, 1], [4, 2], [3, 3], [1, 4]])); // prettier-ignore
      if (tablesOf(root).length > 0 && nodesOf(root).length <= 2 * MOST_NODES) return { name, root, onClose };
    }
  }

  private drawing(view: string): Draw {
    return {
      random: this.random,
      tables: this.tables,
      fresh: () => `c${++this.names}`,
      relation: (depth) => this.relation(view, depth),
    };
  }

  private relation(view: string, depth: number): Node {
    const again = this.random.maybe(this.shared);
    if (again !== undefined && this.random.oneIn(4)) return again;
    if (depth <= 0 || this.nodes > MOST_NODES || this.random.oneIn(4)) return this.leaf(view);
    const node = this.operator(view, depth);
    return this.random.oneIn(4) ? this.share(view, node) : node;
  }

  /** Gives a relation a name; it may be read again. */
  private share(view: string, node: Node): Node {
    const how = this.random.pick(['cte', 'view', 'materialized'] as const);
    const named = define({ name: `${view}_${++this.names}`, how }, node);
    this.shared.push(named);
    return named;
  }

  private operator(view: string, depth: number): Node {
    this.nodes++;
    const { random } = this;
    const drawing = this.drawing(view);
    if (random.oneIn(8)) return random.pick([windowed, boundedJoin, windowRows])(drawing);
    return random.weighted(OPERATORS)(drawing, depth);
  }

  private leaf(view: string): Node {
    this.nodes++;
    const { random } = this;
    const drawing = this.drawing(view);
    return random.weighted<() => Node>([
      [8, () => sourceLeaf(random.pick(SOURCES))],
      [this.tables ? 10 : 0, () => tableLeaf(random.pick(['t', 'u'] as const))],
      [1, () => values(drawing)],
      [1, () => windowed(drawing)],
      [1, () => boundedJoin(drawing)],
      [1, () => define({ name: `${view}_${++this.names}`, how: 'closed' }, closable(drawing))],
    ])();
  }
}

export const sourceLeaf = (name: string): Node => leaf('source', SOURCE_COLUMNS, () => `SELECT * FROM ${name}`, { table: name }); // prettier-ignore

const tableLeaf = (name: 't' | 'u'): Node => leaf(`table ${name === 't' ? 'with' : 'without'} key`, TABLES[name].columns, () => `SELECT * FROM ${name}`, { table: name }); // prettier-ignore

export function renderQuery({ root, onClose }: Query, dialect: Dialect): Rendered {
  const rendered = render(root, dialect);
  return onClose ? { ...rendered, query: closed(root, rendered.query, dialect) } : rendered;
}

/** The statements that declare a view and what it reads, as streaming SQL. */
export function statements(
  query: Query,
): readonly { readonly name: string; readonly materialized: boolean; readonly sql: string }[] {
  const { views, query: root } = renderQuery(query, 'stream');
  return [...views, { name: query.name, how: 'materialized' as const, sql: root }].map(({ name, how, sql }) => {
    const materialized = how !== 'view';
    return { name, materialized, sql: `CREATE ${materialized ? 'MATERIALIZED ' : ''}VIEW ${name} AS ${sql}` };
  });
}

/** The constructs of a query. */
export const constructs = ({ root, onClose }: Query): readonly string[] => [
  ...new Set([...nodesOf(root).map(({ op }) => op), ...(onClose ? ['emit on window close'] : [])]),
];

/** How large a query is, for the shrinker. */
export function sizeOf(query: Query): number {
  const text = statements(query).map(({ sql }) => sql).join(';'); // prettier-ignore
  return text.length + 30 * nodesOf(query.root).length;
}
