import { StreamsqlError } from '../base/errors.ts';
import { ident } from '../base/sql.ts';
import { checkName, isName, withText } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/**
 * Names become DuckDB's: backticks are double quotes, and `window`, which DuckDB reserves, is quoted wherever it does not
 * begin a WINDOW clause. Refuses quoted names that are reserved for streamsql's own columns.
 */
export function rewriteNames(tokens: readonly Token[]): readonly Token[] {
  return tokens.map((token, i) => {
    if (token.kind === 'quoted' || token.kind === 'backticked') {
      checkName(token);
      return token.kind === 'quoted' ? token : withText(token, ident(token.value).text);
    }
    if (token.key !== 'WINDOW' || beginsWindowClause(tokens, i)) return token;
    if (tokens[i + 1]?.key === '(') throw spellingOfSpark(token);
    return withText(token, ident(token.text).text);
  });
}

function beginsWindowClause(tokens: readonly Token[], i: number): boolean {
  return isName(tokens[i + 1]) && tokens[i + 2]?.key === 'AS' && tokens[i + 3]?.key === '(';
}

function spellingOfSpark(token: Token): StreamsqlError {
  return new StreamsqlError('UNSUPPORTED', 'there is no function window()', {
    span: token.span,
    hint: "write GROUP BY TUMBLE(ts, INTERVAL '10 seconds'), or FROM TUMBLE(t, ts, INTERVAL '10 seconds')",
  });
}
