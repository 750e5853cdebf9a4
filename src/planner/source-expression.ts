import { StreamsqlError } from '../base/errors.ts';
import type { MappedText } from '../parser/statements.ts';
import { expressions, type Expression } from './ast.ts';
import type { QueryContext } from './context.ts';
import type { SqlService } from './sql-service.ts';

/** The tree of an expression of a CREATE SOURCE, with what a refusal needs to point into it. */
export async function parseExpression(
  service: SqlService,
  expression: MappedText,
): Promise<{ context: QueryContext; parsed: Expression }> {
  const prefix = 'SELECT ';
  const mapped: MappedText = {
    text: prefix + expression.text,
    span: expression.span,
    origin: (offset) => expression.origin(Math.max(0, offset - prefix.length)),
  };
  const node = await service.parse(mapped);
  const context: QueryContext = {
    service,
    text: mapped,
    root: node,
    emit: 'changes',
    emitSpan: undefined,
    lookup: () => Promise.resolve(undefined),
    nextId: (hint) => hint,
  };
  const [parsed] = expressions(node['select_list']);
  if (parsed === undefined) throw new StreamsqlError('SYNTAX', 'an expression is missing');
  return { context, parsed };
}
