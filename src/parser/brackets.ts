import { StreamsqlError } from '../base/errors.ts';
import type { Token } from './tokens.ts';

const OPEN: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const CLOSE: ReadonlySet<string> = new Set(Object.values(OPEN));

export const opens = (token: Token): boolean => token.kind === 'operator' && token.key in OPEN;
export const closes = (token: Token): boolean => token.kind === 'operator' && CLOSE.has(token.key);

/** Refuses brackets that do not pair, pointing at the one that has no other. */
export function checkBrackets(tokens: readonly Token[]): void {
  const open: Token[] = [];
  for (const token of tokens) {
    if (opens(token)) open.push(token);
    else if (closes(token)) {
      const opener = open.pop();
      if (opener === undefined) {
        throw new StreamsqlError('SYNTAX', `nothing opened this ${token.text}`, { span: token.span });
      }
      if (OPEN[opener.key] !== token.key) {
        throw new StreamsqlError('SYNTAX', `${opener.text} is closed by ${OPEN[opener.key]}, not by ${token.text}`, {
          span: { start: opener.span.start, end: token.span.end },
        });
      }
    }
  }
  const left = open.pop();
  if (left !== undefined) throw new StreamsqlError('SYNTAX', `this ${left.text} is never closed`, { span: left.span });
}

/** The index of the bracket that closes the one at `open`; undefined where none does. */
export function closing(tokens: readonly Token[], open: number): number | undefined {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const token = tokens[i];
    if (token === undefined) return undefined;
    if (opens(token)) depth++;
    else if (closes(token) && --depth === 0) return i;
  }
  return undefined;
}

/** Each token with how many brackets are open around it; a bracket itself stands outside of its pair. */
export function withDepth(tokens: readonly Token[]): readonly { readonly token: Token; readonly depth: number }[] {
  let depth = 0;
  return tokens.map((token) => {
    if (closes(token)) depth--;
    const here = depth;
    if (opens(token)) depth++;
    return { token, depth: here };
  });
}

export interface Argument {
  /** The comma before it; the first has none. */
  readonly comma: Token | undefined;
  readonly tokens: readonly Token[];
}

/** What stands between parentheses, cut at the commas that no inner bracket holds. */
export function splitArguments(inside: readonly Token[]): readonly Argument[] {
  if (inside.length === 0) return [];
  const parts: { comma: Token | undefined; tokens: Token[] }[] = [{ comma: undefined, tokens: [] }];
  for (const { token, depth } of withDepth(inside)) {
    if (depth === 0 && token.key === ',') parts.push({ comma: token, tokens: [] });
    else parts.at(-1)?.tokens.push(token);
  }
  return parts;
}
