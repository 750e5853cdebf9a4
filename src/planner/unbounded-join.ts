import { StreamsqlError } from '../base/errors.ts';
import type { AstNode } from './ast.ts';
import { refuse, type QueryContext } from './context.ts';

/** EMIT ON WINDOW CLOSE is for state that ends: a join that nothing bounds keeps both of its sides for good. */
export function refuseUnboundedJoin(context: QueryContext, at: AstNode): StreamsqlError {
  const message = 'EMIT ON WINDOW CLOSE: nothing bounds the time between the matching rows of this join, so both its sides would be kept for good'; // prettier-ignore
  const hint = 'add a.ts BETWEEN b.ts - INTERVAL … AND b.ts to its condition, join on window_start and window_end, or leave EMIT ON WINDOW CLOSE away'; // prettier-ignore
  const span = context.emitSpan;
  return span === undefined
    ? refuse(context, at, message, hint)
    : new StreamsqlError('UNSUPPORTED', message, { span, hint });
}
