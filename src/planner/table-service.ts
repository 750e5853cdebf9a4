import type { Column } from '../base/schema.ts';
import type { MappedText } from '../parser/statements.ts';
import type { TableNode } from './plan-sources.ts';

/** One INSERT, UPDATE or DELETE, bound to its table. */
export interface TableChange {
  readonly table: TableNode;
  /** The user's whole statement; DuckDB runs it. */
  readonly sql: MappedText;
  /** How what it changed is found out. */
  readonly capture: Capture;
}

/**
 * 'inserted', 'deleted': the statement itself gives back the rows that came or went. 'keys': it gives back the keys of
 * all rows that it touched. 'all': the whole table is held against what it was before.
 */
export type Capture = 'inserted' | 'deleted' | 'keys' | 'all';

/**
 * The tables themselves, which exist from their CREATE TABLE on. A script's statements stand between `begin` and `commit`,
 * or `rollback`. Errors come as StreamsqlError with spans into the script.
 */
export interface TableService {
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Makes the table; its columns, and those of its PRIMARY KEY. */
  create(
    name: string,
    definition: MappedText,
  ): Promise<{ readonly columns: readonly Column[]; readonly key: readonly string[] }>;
  drop(name: string): Promise<void>;
  change(change: TableChange): Promise<void>;
}
