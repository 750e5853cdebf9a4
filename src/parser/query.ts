import { liftEmit } from './emit.ts';
import { rewrite, type ScriptContext } from './rewrite.ts';
import type { MappedText, Query } from './statements.ts';
import type { TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';

export const QUERY_STARTS = ['SELECT', 'WITH', 'VALUES', 'FROM', 'TABLE'] as const;

/** Whether a query begins here, perhaps inside of parentheses. */
export function seesQuery(cursor: TokenCursor): boolean {
  let ahead = 0;
  while (cursor.peek(ahead)?.key === '(') ahead++;
  return QUERY_STARTS.some((word) => cursor.peek(ahead)?.key === word);
}

/** The rest of the statement as a query. */
export function readQuery(context: ScriptContext, cursor: TokenCursor): Query {
  if (!seesQuery(cursor)) {
    while (cursor.takes('('));
    throw cursor.unexpected('a query', QUERY_STARTS);
  }
  const tokens = cursor.rest();
  cursor.jump(cursor.tokens.length);
  return queryOf(context, tokens);
}

function queryOf(context: ScriptContext, tokens: readonly Token[]): Query {
  const { query, emit } = liftEmit(tokens);
  if (emit === undefined) return { sql: rewrite(context, query), emit };
  const { kind, span, every, allowedLateness } = emit;
  const interval = (written: readonly Token[] | undefined): MappedText | undefined =>
    written === undefined ? undefined : rewrite(context, written);
  return {
    sql: rewrite(context, query),
    emit: { kind, span, every: interval(every), allowedLateness: interval(allowedLateness) },
  };
}
