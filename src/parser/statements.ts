import type { Span } from '../base/errors.ts';
import type { Option } from '../base/options.ts';
import type { Secret } from './variables.ts';

/** A name as written (unquoted) and where it stands. */
export interface Name {
  readonly text: string;
  readonly span: Span;
}

/**
 * DuckDB text made from the user's, with the way back. `text` is what DuckDB parses; `origin(offset)` maps an offset
 * (UTF-16) of `text` to the user's script.
 */
export interface MappedText {
  readonly text: string;
  /** The stretch of the script that it was made from. */
  readonly span: Span;
  origin(offset: number): number;
}

/** When a view's rows are given. `span` covers the whole clause. */
export interface Emit {
  readonly kind: 'changes' | 'on-window-close';
  readonly span: Span;
  /** The interval of `EMIT [CHANGES] EVERY …`: changes are gathered for that long. */
  readonly every?: MappedText | undefined;
  /** The interval of `ALLOWED LATENESS …`: for that long after its close a window is still corrected. */
  readonly allowedLateness?: MappedText | undefined;
}

/** A SELECT (with its CTEs, set operations, VALUES), EMIT lifted off and the dialect's spellings rewritten. */
export interface Query {
  readonly sql: MappedText;
  readonly emit: Emit | undefined;
}

export type ColumnDefinition =
  | { readonly kind: 'physical'; readonly name: Name; readonly type: MappedText }
  | { readonly kind: 'computed'; readonly name: Name; readonly expression: MappedText }
  | { readonly kind: 'proctime'; readonly name: Name }
  | { readonly kind: 'metadata'; readonly name: Name; readonly type: MappedText; readonly from: Name };

/** `WATERMARK FOR column AS expression`. */
export interface WatermarkDefinition {
  readonly column: Name;
  readonly expression: MappedText;
  readonly span: Span;
}

interface Base {
  /** The whole statement without its semicolon. */
  readonly span: Span;
}

/** CREATE SOURCE / STREAM / TABLE … WITH (connector = …), and CREATE SINK without a query or a TABLE used as one. */
export interface CreateSource extends Base {
  readonly kind: 'create-source';
  readonly word: 'source' | 'stream' | 'table';
  readonly name: Name;
  readonly ifNotExists: boolean;
  readonly columns: readonly ColumnDefinition[];
  /** The columns of PRIMARY KEY, in its order; empty where none is declared. */
  readonly primaryKey: readonly Name[];
  readonly watermark: WatermarkDefinition | undefined;
  readonly options: readonly Option[];
}

export interface CreateView extends Base {
  readonly kind: 'create-view';
  readonly materialized: boolean;
  readonly name: Name;
  readonly ifNotExists: boolean;
  /** `CREATE VIEW v (a, b) AS …` */
  readonly columnNames: readonly Name[];
  readonly query: Query;
}

export interface CreateSink extends Base {
  readonly kind: 'create-sink';
  readonly name: Name;
  readonly ifNotExists: boolean;
  readonly columns: readonly ColumnDefinition[];
  /** The columns of its PRIMARY KEY; empty where it declares none. */
  readonly primaryKey: readonly Name[];
  readonly options: readonly Option[];
  readonly query: Query | undefined;
}

/** CREATE TABLE without WITH, AS a query or not: its rows come by INSERT. */
export interface CreateTable extends Base {
  readonly kind: 'create-table';
  readonly name: Name;
  readonly ifNotExists: boolean;
  /** The whole statement. */
  readonly sql: MappedText;
}

/** INSERT INTO as a sink and a table may both have it. */
export interface InsertInto extends Base {
  readonly kind: 'insert';
  readonly target: Name;
  readonly columnNames: readonly Name[];
  readonly query: Query;
  /** The whole statement, for where the target is a table. */
  readonly sql: MappedText;
}

/** UPDATE, DELETE, and INSERT as only a table may have it. */
export interface ChangeTable extends Base {
  readonly kind: 'change';
  readonly verb: 'insert' | 'update' | 'delete';
  readonly target: Name;
  /** The whole statement. */
  readonly sql: MappedText;
  /** An INSERT that may leave out or change rows: OR REPLACE, ON CONFLICT. */
  readonly conflicts: boolean;
  /** The columns that an UPDATE assigns. */
  readonly assigned: readonly string[];
}

export interface Select extends Base {
  readonly kind: 'select';
  readonly query: Query;
}

export interface SetOption extends Base {
  readonly kind: 'set';
  readonly name: Name;
  readonly value: string;
  readonly valueSpan: Span;
}

export interface Drop extends Base {
  readonly kind: 'drop';
  readonly object: 'source' | 'stream' | 'table' | 'view' | 'sink';
  readonly name: Name;
  readonly ifExists: boolean;
}

export interface Show extends Base {
  readonly kind: 'show';
  /** `SHOW CREATE name` has `name`; `SHOW timezone` and the like are `variable` with `name`. */
  readonly what: 'tables' | 'sources' | 'views' | 'sinks' | 'create' | 'variable';
  readonly name: Name | undefined;
}

export interface Describe extends Base {
  readonly kind: 'describe';
  readonly name: Name;
}

export interface Explain extends Base {
  readonly kind: 'explain';
  readonly analyze: boolean;
  readonly format: 'text' | 'json';
  /** A SELECT, CREATE VIEW, CREATE SINK, INSERT, or the name of a view. */
  readonly subject: Statement | Name;
}

export type Statement =
  | CreateSource
  | CreateTable
  | CreateView
  | CreateSink
  | InsertInto
  | ChangeTable
  | Select
  | SetOption
  | Drop
  | Show
  | Describe
  | Explain;

export interface Script {
  readonly name: string;
  readonly text: string;
  readonly statements: readonly Statement[];
  /** Values of variables that must not be printed, and are part of options and of mapped text: for `redact`. */
  readonly secrets: readonly Secret[];
}
