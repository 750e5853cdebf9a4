import { StreamsqlError, type Span } from '../base/errors.ts';
import { checkForeign } from './foreign.ts';
import { renderTokens } from './mapped-text.ts';
import { rewriteIntervals } from './rewrite-intervals.ts';
import { rewriteMaps } from './rewrite-maps.ts';
import { rewriteNames } from './rewrite-names.ts';
import { rewriteTemporal } from './rewrite-temporal.ts';
import { rewriteWindows } from './rewrite-windows.ts';
import type { MappedText } from './statements.ts';
import { TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';
import { readType } from './types.ts';
import type { Substitution } from './variables.ts';

/** The script that tokens come from, and what its variables stand for. */
export interface ScriptContext {
  readonly text: string;
  readonly variables: Substitution;
}

/**
 * DuckDB text of a query or an expression. The rewrites always apply, not only where DuckDB refuses the text: a backticked
 * name parses in DuckDB too, as an operator.
 */
export function rewrite(context: ScriptContext, tokens: readonly Token[]): MappedText {
  checkForeign(tokens);
  const filled = tokens.map((token) => fillVariables(context.variables, token));
  const passes = [rewriteIntervals, rewriteCasts, rewriteMaps, rewriteWindows, rewriteTemporal, rewriteNames];
  return renderTokens(
    context.text,
    passes.reduce((done, pass) => pass(done), filled as readonly Token[]),
    spanOf(tokens),
  );
}

/** DuckDB text of tokens that need no rewriting any more. */
export function render(context: ScriptContext, tokens: readonly Token[], span: Span): MappedText {
  return renderTokens(context.text, rewriteNames(tokens), span);
}

export function spanOf(tokens: readonly Token[]): Span {
  return { start: tokens[0]?.span.start ?? 0, end: tokens.at(-1)?.span.end ?? 0 };
}

/** Outside of a string a variable is a number: anything else could change what the statement is. */
function fillVariables(variables: Substitution, token: Token): Token {
  if (token.kind === 'string') return variables.inString(token);
  if (token.kind !== 'variable') return token;
  const value = variables.bare(token).trim();
  if (!/^-?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(value)) {
    throw new StreamsqlError('SYNTAX', 'outside of a string a variable must be a number', {
      span: token.span,
      hint: `put it in a string: '${token.text}'`,
    });
  }
  return { ...token, kind: 'number', text: value, value };
}

/** The types of `CAST(x AS type)` and `x::type`, in DuckDB's spelling. */
function rewriteCasts(tokens: readonly Token[]): readonly Token[] {
  const out: Token[] = [];
  for (let i = 0; i < tokens.length;) {
    const token = tokens[i];
    if (token === undefined) break;
    out.push(token);
    i++;
    if (token.key !== '::' && !isCastAs(tokens, i - 1)) continue;
    const cursor = new TokenCursor(tokens.slice(i));
    const type = tryType(cursor);
    if (type === undefined || (token.key === 'AS' && !cursor.sees(')'))) continue;
    out.push(...type);
    i += cursor.index;
  }
  return out;
}

/** An AS directly inside the parentheses of CAST or TRY_CAST. */
function isCastAs(tokens: readonly Token[], i: number): boolean {
  if (tokens[i]?.key !== 'AS') return false;
  let depth = 0;
  for (let k = i - 1; k >= 0; k--) {
    const key = tokens[k]?.key;
    if (key === ')') depth++;
    else if (key === '(' && depth-- === 0) return tokens[k - 1]?.key === 'CAST' || tokens[k - 1]?.key === 'TRY_CAST';
  }
  return false;
}

/** What is no type at all is left for DuckDB to refuse; a type that nobody here has is refused now. */
function tryType(cursor: TokenCursor): readonly Token[] | undefined {
  try {
    return readType(cursor);
  } catch (error) {
    if (error instanceof StreamsqlError && error.code === 'SYNTAX') return undefined;
    throw error;
  }
}
