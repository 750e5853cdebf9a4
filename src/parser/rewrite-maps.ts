import { closing, splitArguments } from './brackets.ts';
import { withText } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/** `MAP['a', 1, 'b', 2]` becomes `MAP {'a': 1, 'b': 2}`. DuckDB reads `map['a']`, without a comma, as a subscript. */
export function rewriteMaps(tokens: readonly Token[]): readonly Token[] {
  const out: Token[] = [];
  for (let i = 0; i < tokens.length;) {
    const token = tokens[i];
    if (token === undefined) break;
    const [open, end] = [tokens[i + 1], closing(tokens, i + 1)];
    const close = end === undefined ? undefined : tokens[end];
    const values = token.key === 'MAP' && open?.key === '[' ? splitArguments(tokens.slice(i + 2, end)) : [];
    out.push(token);
    i++;
    if (open === undefined || close === undefined || values.length === 0 || values.length % 2 === 1) continue;
    out.push(withText(open, '{'));
    values.forEach(({ comma, tokens: value }, k) => {
      if (comma !== undefined) out.push(k % 2 === 1 ? withText(comma, ':') : comma);
      out.push(...rewriteMaps(value));
    });
    out.push(withText(close, '}'));
    i = (end ?? i) + 1;
  }
  return out;
}
