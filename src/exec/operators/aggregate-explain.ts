import type { AggregateNode } from '../../planner/plan-aggregate.ts';
import type { AggregateSql } from './aggregate-sql.ts';
import type { Explanation } from './operator.ts';

interface Explained {
  readonly node: AggregateNode;
  readonly sql: AggregateSql;
  /** The names of its state table, and of those that hold distinct values. */
  readonly state: string;
  readonly values: readonly string[];
  readonly statements: readonly string[];
}

/** What EXPLAIN says of a groupBy-reduce. */
export function explainAggregate(explained: Explained): Explanation {
  const { node, sql, statements } = explained;
  const onClose = node.emit === 'on-window-close';
  return {
    title: `groupBy-reduce by ${sql.groupColumns.join(', ') || 'one group'}, emit ${onClose ? 'on window close' : 'changes'}`,
    law: onClose
      ? 'Δout = the groups whose window the watermark closed'
      : node.firsts
        ? 'Δout = the groups that are seen for the first time'
        : 'Δout = the touched groups as they are now − as they were',
    state: describeState(explained, onClose),
    bound: describeBound(explained),
    sql: statements,
  };
}

function describeState({ sql, state, values }: Explained, onClose: boolean): string {
  if (!sql.merges) return `${state}: the rows of each group`;
  if (sql.panes && onClose) return `${state}: partial results by pane and group`;
  const distinct = values.length > 0 ? `; ${values.join(', ')}: the distinct values of each group` : '';
  return `${state}: ${onClose ? 'partial results by window and group' : 'one row a group'}${distinct}`;
}

function describeBound({ node, sql, values }: Explained): string {
  const { close } = node;
  if (close !== undefined)
    return `the watermark: a group goes ${close.after / 1000n} ms after ${close.column === '$w' ? 'the start of its window' : close.column}`;
  const global = sql.groupColumns.length === 0;
  if (global && values.length > 0) return 'UNBOUNDED: it grows with the number of distinct values';
  return global && sql.merges ? 'one row' : 'UNBOUNDED: groups never close; it grows with the number of groups';
}
