import { StreamsqlError, type Span } from '../base/errors.ts';
import type { OptionValues } from '../base/options.ts';
import { sameName, type Column } from '../base/schema.ts';
import type { DeclaredSink } from './catalog.ts';
import type { PlanNode } from './plan.ts';

/** What a row of a changelog says it is, in front of its columns: '+' or '-'. */
const OP: Column = { name: 'op', type: 'VARCHAR' };

/** Whether a sink gets changes; refuses results that change where it takes none. */
export function writesChanges(sink: DeclaredSink, options: OptionValues, node: PlanNode, span: Span): boolean {
  const takes = sink.connector.changelog?.(options);
  if (takes === 'always') return true;
  if (node.appendOnly) return false;
  if (takes === 'of changes') return true;
  const message = `the sink ${sink.name} takes rows that are only ever added, and this query changes rows it gave before`;
  const close = 'end it with EMIT ON WINDOW CLOSE';
  throw new StreamsqlError('UNSUPPORTED', message, {
    span,
    hint: takes === undefined ? close : `${close}, or ${takes.hint}`,
  });
}

export function changelogColumns(columns: readonly Column[], span: Span): readonly Column[] {
  if (columns.some((column) => sameName(column.name, OP.name))) {
    throw new StreamsqlError('BIND', `a changelog has a column ${OP.name} of its own, and so has this query`, {
      span,
      hint: `give the query's column another name`,
    });
  }
  return [OP, ...columns];
}
