import type { AstNode, Expression } from './ast.ts';
import type { QueryContext, Relational } from './context.ts';
import type { Mentioned } from './gather.ts';
import { Scope, type Relation } from './scope.ts';

/** A FROM clause, compiled: what can be named in it, its text, and the conditions of its inner joins. */
export interface From {
  readonly scope: Scope;
  /** With `$inN` in place of the inputs. */
  readonly sql: string;
  readonly conditions: readonly Expression[];
  /** Expressions stand in `sql` itself (lateral functions, outer joins): which columns they read is not followed. */
  readonly opaque: boolean;
}

export interface FromEnvironment {
  /** A window call in FROM, by itself. */
  compileRelation?: ((node: AstNode) => Promise<Relational>) | undefined;
  /** The columns that the block names anywhere; undefined: all, where it has a star. */
  readonly mentioned?: Mentioned;
  /** A query in parentheses, a CTE, a view. */
  compileQuery(node: AstNode): Promise<Relational>;
  lookup(name: string, at: AstNode): Promise<Relational | undefined>;
  /** A window that the GROUP BY asks for, by the column that it is on: wraps the relation that has the column. */
  wrap?: ((relational: Relational, alias: string) => Promise<Relational>) | undefined;
}

/** A part of a FROM clause: a relation, or a join of some. */
export interface Part {
  readonly relations: readonly Relation[];
  readonly sql: string;
  readonly conditions: readonly Expression[];
  readonly streaming: boolean;
  readonly opaque: boolean;
}

/** What a part of a FROM clause is compiled with. */
export interface FromCompiler {
  readonly context: QueryContext;
  readonly environment: FromEnvironment;
  /** `left`: the relations to the left, which a lateral function may name. */
  compile(node: AstNode, left: readonly Relation[]): Promise<Part>;
}

export const wholeFrom = ({ relations, sql, conditions, opaque }: Part): From => ({
  scope: new Scope(relations),
  sql,
  conditions,
  opaque,
});
