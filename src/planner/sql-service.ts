import type { Column } from '../base/schema.ts';
import type { Sql } from '../base/sql.ts';
import type { MappedText } from '../parser/statements.ts';
import type { AstNode, Expression } from './ast.ts';

/**
 * What the planner asks DuckDB: its parser, its printer, its binder. Empty tables that stand for sources, views and
 * operators live in the schema `plan`; names in SQL given to `describe` resolve there first.
 */
export interface SqlService {
  /** The query node of one SELECT. Throws SYNTAX with a span into the user's script. */
  parse(query: MappedText): Promise<AstNode>;
  /** The text of an expression, verified to parse back to the same tree. */
  print(expression: Expression): Promise<string>;
  /** The text of a whole query. */
  printQuery(node: AstNode): Promise<string>;
  /** The columns of a SELECT. Errors come as StreamsqlError without a span. */
  describe(select: Sql): Promise<readonly Column[]>;
  /** The columns of the user's own SELECT, errors pointing into the script. `bound` is what is bound in its place. */
  bind(bound: MappedText): Promise<readonly Column[]>;
  /** Makes (or replaces) an empty table in `plan`. */
  declare(name: string, columns: readonly Column[]): Promise<void>;
  undeclare(name: string): Promise<void>;
  /** Evaluates a constant interval: its months, and the rest in microseconds; undefined where it is no constant. */
  interval(expression: Expression): Promise<{ months: number; micros: bigint } | undefined>;
  /** What DuckDB knows of a function by that name. */
  functionKind(name: string): 'scalar' | 'aggregate' | 'volatile' | 'time' | 'table' | 'unknown';
}
