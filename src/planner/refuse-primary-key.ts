import { StreamsqlError } from '../base/errors.ts';
import type { CreateSource } from '../parser/statements.ts';

/** A key says which row a row replaces; no source replaces rows yet. */
export function refusePrimaryKey(statement: CreateSource): void {
  const [first] = statement.primaryKey;
  if (first === undefined) return;
  throw new StreamsqlError('UNSUPPORTED', 'PRIMARY KEY is not supported yet', {
    span: first.span,
    hint: 'leave it out: a source is a stream of rows, none of which replaces another',
  });
}
