import type { Span } from '../base/errors.ts';
import type { Name } from '../parser/statements.ts';

/** A `*.test.sql` file: SQL that all its cases share, then the cases. Spans point into `text`. */
export interface TestFile {
  /** As people call it: the path that was given. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  /** The statements before the first TEST. */
  readonly common: Span | undefined;
  readonly cases: readonly TestCase[];
}

export interface TestCase {
  readonly name: string;
  readonly span: Span;
  /** `USING 'file.sql' WITH (NAME = 'value')`. */
  readonly using: Using | undefined;
  /** The case's own statements, one stretch; they come before anything is fed, or changed while the stream runs. */
  readonly sql: Span | undefined;
  /** Epochs are cut as the case says and in no other way. */
  readonly asWritten: boolean;
  readonly steps: readonly Step[];
}

export interface Using {
  readonly path: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly span: Span;
}

export type Step =
  | {
      readonly kind: 'feed';
      readonly source: Name;
      /** The columns that the rows give; empty: all, in order. */
      readonly columns: readonly Name[];
      readonly partition: number;
      readonly records: readonly FedRecord[];
      readonly span: Span;
    }
  /** INSERT, UPDATE or DELETE of a table: part of the epoch in which it stands. */
  | { readonly kind: 'change'; readonly sql: string; readonly span: Span }
  | { readonly kind: 'epoch'; readonly span: Span }
  /** `to`: ms since 1970 at which the clock stands from here on; `by`: ms that it goes on. */
  | { readonly kind: 'clock'; readonly to: number; readonly span: Span }
  | { readonly kind: 'advance'; readonly by: number; readonly span: Span }
  | { readonly kind: 'end'; readonly span: Span }
  | Expect;

/** One record of a feed: a typed row as SQL expressions, or a raw line for the JSON decoder. */
export type FedRecord =
  | { readonly kind: 'row'; readonly cells: readonly string[]; readonly span: Span }
  | { readonly kind: 'json'; readonly line: string; readonly span: Span };

export interface Expect {
  readonly kind: 'expect';
  readonly expectation: Expectation;
  readonly span: Span;
  readonly block: ExpectedBlock;
}

export type Expectation =
  /** A SELECT over the results; `ordered` where it says ORDER BY itself. */
  | { readonly kind: 'query'; readonly sql: string; readonly ordered: boolean }
  /** SHOW, DESCRIBE, EXPLAIN: answered when everything is declared. */
  | { readonly kind: 'answer'; readonly sql: string }
  /** All rows that a print sink (or the case's SELECT over a source, `query`) has shown so far. */
  | { readonly kind: 'printed'; readonly sink: Name }
  /** The error in which the statements, or the run up to here, end. */
  | { readonly kind: 'error' };

/** The lines of comment that follow an EXPECT at once. */
export interface ExpectedBlock {
  /** Without the dashes; undefined where nothing is written yet. */
  readonly lines: readonly string[] | undefined;
  /** What `--update` replaces: whole lines, the last line feed excluded. Empty, after the statement, where there are none. */
  readonly span: Span;
}
