/** What a column holds: `apx` are doubles that depend on the order of addition, which nothing may compare. */
export type Type = 'num' | 'str' | 'dbl' | 'apx' | 'bool' | 'ts' | 'list' | 'struct';

export interface Column {
  readonly name: string;
  readonly type: Type;
}

/** The same query twice: as streaming SQL, and as plain DuckDB answers it over what was accepted so far. */
export type Dialect = 'stream' | 'batch';

/** An input as its reader sees it: something that can stand in FROM, and a query. */
export interface Input {
  readonly from: string;
  readonly query: string;
  readonly columns: readonly Column[];
}

/** A relation that a view defines, beside the query that reads it. */
export interface Definition {
  readonly name: string;
  readonly how: 'cte' | 'view' | 'materialized' | 'closed';
}

/** A node of a query tree. */
export interface Node {
  /** The construct, for the tallies. */
  readonly op: string;
  readonly inputs: readonly Node[];
  readonly columns: readonly Column[];
  /** Set where the node is but a name for its only input. */
  readonly definition?: Definition | undefined;
  /** Set where the node is a table or a source, which is named as it is. */
  readonly table?: string | undefined;
  /** Sources that its text names itself. */
  readonly sources?: readonly string[] | undefined;
  /**
   * For a result that a window's end, or a session's, closes: the column that holds it, and the sources whose watermarks
   * close it; none where the query says so itself.
   */
  readonly closing?:
    { readonly column: string; readonly strictly: boolean; readonly sources: readonly string[] } | undefined;
  text(inputs: readonly Input[], dialect: Dialect): string;
  /** The same operator over other inputs of the same columns. */
  over(inputs: readonly Node[]): Node;
  /** The same columns from a simpler operator. */
  simpler(): readonly Node[];
}

export interface Rendered {
  /** Views that come first, with the names that they define. */
  readonly views: readonly { readonly name: string; readonly how: Definition['how']; readonly sql: string }[];
  readonly query: string;
}

/** A tree as SQL: the views that it defines, each before its readers, and the query itself. */
export function render(root: Node, dialect: Dialect): Rendered {
  const views = new Map<string, Rendered['views'][number]>();
  const query = body(root, dialect, views);
  return { views: [...views.values()], query };
}

/** One query with the CTEs that it needs; views that it reads go into `views`. */
function body(root: Node, dialect: Dialect, views: Map<string, Rendered['views'][number]>): string {
  const ctes = new Map<string, string>();
  const inputOf = (node: Node): Input => {
    const { columns, definition, table } = node;
    if (table !== undefined) return { from: table, query: `SELECT * FROM ${table}`, columns };
    if (definition === undefined) {
      const query = node.text(node.inputs.map(inputOf), dialect);
      return { from: `(${query})`, query, columns };
    }
    const { name, how } = definition;
    const [only] = node.inputs;
    if (only === undefined) throw new Error(`${name} defines nothing`);
    if (how === 'cte') {
      if (!ctes.has(name)) {
        const { query } = inputOf(only);
        ctes.set(name, query);
      }
    } else if (!views.has(name)) {
      const query = body(only, dialect, views);
      views.set(name, { name, how, sql: how === 'closed' ? closed(only, query, dialect) : query });
    }
    return { from: name, query: `SELECT * FROM ${name}`, columns };
  };
  const { query } = inputOf(root);
  if (ctes.size === 0) return query;
  return `WITH ${[...ctes].map(([name, sql]) => `${name} AS (${sql})`).join(', ')} ${query}`;
}

/** Whose window has ended: with EMIT ON WINDOW CLOSE, or as the condition that it stands for. */
export function closed(node: Node, query: string, dialect: Dialect): string {
  if (dialect === 'stream') return `${query} EMIT ON WINDOW CLOSE`;
  if (node.closing === undefined) throw new Error(`${node.op} closes nothing`);
  const { column, strictly, sources } = node.closing;
  if (sources.length === 0) return query;
  const marks = sources.map((source) => watermark(source));
  const least = marks.length === 1 ? marks.join('') : `least(${marks.join(', ')})`;
  return `SELECT * FROM (${query}) AS open_windows WHERE ${column} ${strictly ? '<' : '<='} ${least}`;
}

/** A source's watermark, where the batch answer depends on it. */
export const watermark = (source: string): string => `getvariable('w_${source}')`;

/** A leaf, or an operator with nothing that could be made simpler. */
export function leaf(
  op: string,
  columns: readonly Column[],
  text: (dialect: Dialect) => string,
  more: Pick<Node, 'table'> = {},
): Node {
  const node: Node = {
    op,
    inputs: [],
    columns,
    ...more,
    text: (_, dialect) => text(dialect),
    over: () => node,
    simpler: () => [],
  };
  return node;
}

/** A name for a relation. */
export function define(definition: Definition, input: Node): Node {
  return {
    op: definition.how,
    inputs: [input],
    columns: input.columns,
    definition,
    text: ([only]) => only?.query ?? '',
    over: ([next = input]) => define(definition, next),
    simpler: () => [],
  };
}

/** All nodes below a root, it included, each once. */
export function nodesOf(root: Node): readonly Node[] {
  const found = new Set<Node>();
  const visit = (node: Node): void => {
    if (found.has(node)) return;
    found.add(node);
    node.inputs.forEach(visit);
  };
  visit(root);
  return [...found];
}

/** The tables and sources that a tree reads. */
export const tablesOf = (root: Node): readonly string[] => [
  ...new Set(nodesOf(root).flatMap((node) => (node.table === undefined ? (node.sources ?? []) : [node.table]))),
];
