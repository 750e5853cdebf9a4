import type { Span } from '../base/errors.ts';
import type { Option } from '../base/options.ts';
import type { ScriptContext } from './rewrite.ts';
import { isName, type TokenCursor } from './token-cursor.ts';

/** `WITH (name = value, …)`, from the word WITH on. */
export function readOptions(context: ScriptContext, cursor: TokenCursor): readonly Option[] {
  cursor.expect('WITH');
  cursor.expect('(');
  const options: Option[] = [];
  if (cursor.takes(')')) return options;
  for (;;) {
    const { name, span: nameSpan } = readDottedName(cursor, 'an option');
    cursor.expect('=');
    const { value, span: valueSpan } = readValue(context, cursor);
    options.push({ name, value, nameSpan, valueSpan });
    if (cursor.takes(')')) return options;
    if (!cursor.sees(',')) throw cursor.unexpected(', or )');
    cursor.next();
  }
}

/** `scan.startup.mode`, `'scan.startup.mode'`. */
export function readDottedName(cursor: TokenCursor, what: string): { readonly name: string; readonly span: Span } {
  const first = cursor.peek();
  if (first?.kind === 'string') {
    cursor.next();
    return { name: first.value, span: first.span };
  }
  const parts: string[] = [];
  const { start } = cursor.here();
  for (;;) {
    const token = cursor.peek();
    if (token === undefined || !isName(token)) throw cursor.unexpected(`the name of ${what}`);
    parts.push(token.value);
    cursor.next();
    if (!cursor.takes('.')) return { name: parts.join('.'), span: { start, end: token.span.end } };
  }
}

/** A string, a number, true or false, a bare word, a duration such as `5s`, or a variable. */
export function readValue(
  context: ScriptContext,
  cursor: TokenCursor,
): { readonly value: string; readonly span: Span } {
  const token = cursor.peek();
  if (token?.kind === 'string') {
    cursor.next();
    return { value: context.variables.inString(token).value, span: token.span };
  }
  if (token?.kind === 'variable') {
    cursor.next();
    refuseMore(cursor);
    return { value: context.variables.bare(token), span: token.span };
  }
  const start = cursor.here().start;
  const signed = cursor.sees('-') && cursor.peek(1)?.kind === 'number';
  const sign = signed ? cursor.next().text : '';
  const value = cursor.peek();
  if (value?.kind !== 'number' && !isName(value)) throw cursor.unexpected('a value');
  cursor.next();
  const unit = cursor.peek();
  const grown = value?.kind === 'number' && unit?.kind === 'word' && unit.span.start === value.span.end;
  if (grown) cursor.next();
  refuseMore(cursor);
  const end = (grown ? unit : value)?.span.end ?? start;
  return { value: `${sign}${value?.value ?? ''}${grown ? unit.text : ''}`, span: { start, end } };
}

/** `localhost:9092` and `5 seconds` want quotes. */
function refuseMore(cursor: TokenCursor): void {
  const token = cursor.peek();
  if (token === undefined || token.key === ',' || token.key === ')') return;
  const hint = "a value of more than one word goes in quotes: 'localhost:9092'";
  throw cursor.error('SYNTAX', `the value goes on with ${token.text}`, token.span, hint);
}
