import { StreamsqlError, type Span } from '../base/errors.ts';
import { closing, splitArguments, withDepth, type Argument } from './brackets.ts';
import { inGapOf, isName, synthetic, withText } from './token-cursor.ts';
import type { Token } from './tokens.ts';

export const WINDOW_FUNCTIONS: ReadonlySet<string> = new Set(['TUMBLE', 'HOP', 'SESSION', 'CUMULATE']);
const BEFORE_TABLE: ReadonlySet<string> = new Set(['FROM', 'JOIN', 'LATERAL', ',', '(']);

/**
 * Table functions in the standard's spelling become DuckDB's: `TABLE(f(…))` is `f(…)`, and in the calls of window
 * functions `TABLE t` is `t`, `DESCRIPTOR(ts)` is `ts`, `PARTITION BY a, b` is `partition_by => [a, b]` at the end.
 */
export function rewriteWindows(tokens: readonly Token[]): readonly Token[] {
  const out: Token[] = [];
  for (let i = 0; i < tokens.length;) {
    const token = tokens[i];
    if (token === undefined) break;
    const open = tokens[i + 1];
    const end = open?.key === '(' ? closing(tokens, i + 1) : undefined;
    const close = end === undefined ? undefined : tokens[end];
    if (open === undefined || end === undefined || close === undefined) {
      out.push(token);
      i++;
    } else if (token.key === 'TABLE' && isTableOf(tokens, i)) {
      out.push(...inGapOf(token, rewriteWindows(tokens.slice(i + 2, end))));
      i = end + 1;
    } else if (WINDOW_FUNCTIONS.has(token.key)) {
      out.push(token, open, ...windowArguments(tokens.slice(i + 2, end)), close);
      i = end + 1;
    } else {
      out.push(token);
      i++;
    }
  }
  return out;
}

/** `TABLE(` where a table stands, around a call: `TABLE(f(x))`, not a query in parentheses. */
function isTableOf(tokens: readonly Token[], i: number): boolean {
  const before = tokens[i - 1]?.key ?? '';
  return BEFORE_TABLE.has(before) && tokens[i + 2]?.kind === 'word' && tokens[i + 3]?.key === '(';
}

function windowArguments(inside: readonly Token[]): readonly Token[] {
  const all = splitArguments(inside);
  const out: Token[] = [];
  const keys: Token[] = [];
  let partition: Token | undefined;
  for (let k = 0; k < all.length; k++) {
    const { comma, tokens } = all[k] ?? { comma: undefined, tokens: [] };
    const value = valueOf(tokens);
    const label = tokens.slice(0, tokens.length - value.length).map(quoteOffset);
    const at = partitionAt(value);
    const rest = at === -1 ? value : value.slice(0, at);
    if (comma !== undefined) out.push(comma);
    out.push(...label, ...windowValue(rest));
    if (at === -1) continue;
    partition = value[at];
    keys.push(...listed(value.slice(at + 2), spanOf(value)));
    for (const next of moreKeys(all.slice(k + 1))) {
      if (next.comma !== undefined) keys.push(next.comma);
      keys.push(...rewriteWindows(next.tokens));
      k++;
    }
  }
  return partition === undefined ? out : [...out, ...partitionBy(partition, keys)];
}

/**
 * In `PARTITION BY a, b, DESCRIPTOR(ts)` the keys go on up to the descriptor or to an argument with a name; where the
 * time is written without either, there is one key.
 */
function moreKeys(after: readonly Argument[]): readonly Argument[] {
  const stop = after.findIndex(({ tokens }) => tokens[0]?.key === 'DESCRIPTOR' || valueOf(tokens) !== tokens);
  return stop === -1 ? [] : after.slice(0, stop);
}

/** The argument without its name: the part after `=>` or `:=`. */
function valueOf(argument: readonly Token[]): readonly Token[] {
  const named = isName(argument[0]) && (argument[1]?.key === '=>' || argument[1]?.key === ':=');
  return named ? argument.slice(2) : argument;
}

const partitionAt = (value: readonly Token[]): number =>
  withDepth(value).findIndex(
    ({ token, depth }, i) => depth === 0 && token.key === 'PARTITION' && value[i + 1]?.key === 'BY',
  );

/** OFFSET is reserved in DuckDB, and the name of an argument in the standard's window functions. */
const quoteOffset = (token: Token): Token => (token.key === 'OFFSET' ? withText(token, `"${token.text}"`) : token);

function windowValue(value: readonly Token[]): readonly Token[] {
  const [first, second] = value;
  if (first?.key === 'TABLE' && second !== undefined) return inGapOf(first, rewriteWindows(value.slice(1)));
  if (first?.key !== 'DESCRIPTOR' || second?.key !== '(') return rewriteWindows(value);
  const inside = value.slice(2, -1);
  if (splitArguments(inside).length !== 1 || closing(value, 1) !== value.length - 1) {
    const message = 'DESCRIPTOR names one column here: the time of the window';
    throw new StreamsqlError('SYNTAX', message, { span: spanOf(value) });
  }
  return inGapOf(first, inside);
}

/** What PARTITION BY lists, without the parentheses that may stand around it. */
function listed(tokens: readonly Token[], span: Span): readonly Token[] {
  if (tokens.length === 0) throw new StreamsqlError('SYNTAX', 'PARTITION BY names no column', { span });
  const wrapped = tokens[0]?.key === '(' && closing(tokens, 0) === tokens.length - 1;
  return wrapped ? tokens.slice(1, -1) : tokens;
}

function partitionBy(word: Token, keys: readonly Token[]): readonly Token[] {
  const made = (text: string): Token => synthetic(text, word);
  const spaced = (text: string): Token => ({ ...made(text), gap: word.gap });
  return [made(','), spaced('partition_by'), spaced('=>'), spaced('['), ...inGapOf(made('['), keys), made(']')];
}

function spanOf(tokens: readonly Token[]): Span {
  return { start: tokens[0]?.span.start ?? 0, end: tokens.at(-1)?.span.end ?? 0 };
}
