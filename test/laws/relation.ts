/**
 * A small AST of the dialect, printed two ways: as the engine's text (print-dialect.ts) and as plain DuckDB with the
 * acceptance predicate of the laws (print-oracle.ts). Scalar expressions are text that means the same in both.
 */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly time?: Time | undefined;
}

/** A time attribute: rows yet to come are at `watermark - trail` or later. */
export interface Time {
  /** ms */
  readonly trail: number;
  /** Set on window_start, window_end and window_time: which window call they come from. */
  readonly window?: string | undefined;
}

export interface Relation {
  readonly columns: readonly Column[];
  /** The sources below, whose least watermark is that of the relation. */
  readonly sources: readonly string[];
  /** The rows are a source's own, and so may still be refused as late. */
  readonly transparent: boolean;
  /** How many identity columns the oracle gives it. */
  readonly identity: number;
  readonly node: Node;
}

export type Node =
  | { readonly kind: 'source'; readonly name: string }
  | { readonly kind: 'named'; readonly name: string; readonly definition: Relation }
  | { readonly kind: 'static'; readonly values: string }
  | { readonly kind: 'union'; readonly inputs: readonly Relation[] }
  | WindowNode
  | BlockNode;

export interface WindowNode {
  readonly kind: 'window';
  readonly input: Relation;
  readonly shape: 'TUMBLE' | 'HOP';
  readonly column: string;
  /** ms */
  readonly slide: number;
  readonly size: number;
  readonly spelling: 'positional' | 'standard';
}

export interface BlockInput {
  readonly alias: string;
  readonly relation: Relation;
  /** Written as a CTE, where it is a query. */
  readonly cte: boolean;
  /** The time column that the rows of a transparent input are judged by, where the block refuses any. */
  readonly judged: Column | undefined;
}

export interface BlockNode {
  readonly kind: 'block';
  readonly inputs: readonly BlockInput[];
  /** FROM …, UNNEST(list) AS u(x) */
  readonly unnest: { readonly list: string; readonly alias: string } | undefined;
  /** Conditions and the inputs that they read. */
  readonly where: readonly { readonly text: string; readonly inputs: readonly number[] }[];
  /** The first conditions go to ON, and the tables are joined, not listed. */
  readonly joined: boolean;
  readonly items: readonly Item[];
  readonly star: boolean;
  readonly group: Group | undefined;
}

export interface Item {
  readonly name: string;
  readonly expression: string | Aggregate;
}

export interface Group {
  readonly keys: readonly string[];
  readonly spelling: 'columns' | 'all' | 'window-function';
  readonly having: { readonly call: Aggregate; readonly test: string } | undefined;
  readonly emit: 'changes' | 'on-window-close';
  /** The key that closes groups, where one does: at watermark >= key + trail. */
  readonly close: { readonly key: string; readonly trail: number } | undefined;
}

export interface Aggregate {
  readonly name: string;
  readonly arguments: readonly string[];
  /** Trailing constants, such as the separator of string_agg. */
  readonly constants: readonly string[];
  readonly distinct: boolean;
  readonly filter: string | undefined;
  readonly orderBy: string | undefined;
  /** It picks among rows or depends on their order. */
  readonly ordered: boolean;
}

/** A statement of the file under test. */
export interface View {
  readonly name: string;
  readonly relation: Relation;
  readonly materialized: boolean;
  readonly emit: 'changes' | 'on-window-close';
}
