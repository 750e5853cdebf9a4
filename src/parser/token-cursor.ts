import { StreamsqlError, type ErrorCode, type Span } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { isReserved } from './keywords.ts';
import type { Name } from './statements.ts';
import type { Token } from './tokens.ts';

/** Reads the tokens of one statement from left to right. What it does not find it refuses, pointing at what is there. */
export class TokenCursor {
  readonly tokens: readonly Token[];
  private at = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get index(): number {
    return this.at;
  }

  get done(): boolean {
    return this.at >= this.tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.tokens[this.at + ahead];
  }

  /** Whether the next tokens are these keywords or operators. */
  sees(...keys: readonly string[]): boolean {
    return keys.every((key, i) => this.peek(i)?.key === key);
  }

  /** Takes the next tokens if they are these keywords or operators. */
  takes(...keys: readonly string[]): boolean {
    if (!this.sees(...keys)) return false;
    this.at += keys.length;
    return true;
  }

  next(): Token {
    const token = this.peek();
    if (token === undefined) throw this.unexpected('more');
    this.at++;
    return token;
  }

  jump(index: number): void {
    this.at = index;
  }

  /** Takes one keyword or operator, or refuses; `among` are the words that might have been meant. */
  expect(key: string, among: readonly string[] = [key]): Token {
    const token = this.peek();
    if (token?.key !== key) throw this.unexpected(among.join(' or '), among);
    return this.next();
  }

  end(): void {
    if (this.done) return;
    const next = this.peek()?.key ?? '';
    const begins = [
      'CREATE',
      'INSERT',
      'UPDATE',
      'DELETE',
      'SELECT',
      'WITH',
      'SET',
      'DROP',
      'SHOW',
      'EXPLAIN',
    ].includes(next);
    const hint = begins ? `put a ; before ${next}` : undefined;
    throw this.unexpected('the end of the statement', [], hint);
  }

  rest(): readonly Token[] {
    return this.tokens.slice(this.at);
  }

  /** Where the next token stands; past the end, just behind the last one. */
  here(): Span {
    const token = this.peek();
    if (token !== undefined) return token.span;
    const end = this.tokens.at(-1)?.span.end ?? 0;
    return { start: end, end };
  }

  name(what: string): Name {
    const token = this.peek();
    if (token === undefined || !isName(token)) throw this.unexpected(`the name of ${what}`);
    if (token.kind === 'word' && isReserved(token.key)) {
      const hint = `${token.text} is a keyword; to use it as a name, write "${token.text}"`;
      throw this.error('SYNTAX', `expected the name of ${what}, found ${token.text}`, token.span, hint);
    }
    checkName(token);
    this.at++;
    if (this.sees('.')) {
      const span = { start: token.span.start, end: this.peek(1)?.span.end ?? this.here().end };
      throw this.error('UNSUPPORTED', 'names have one part here: there are no catalogs and schemas', span);
    }
    return { text: token.value, span: token.span };
  }

  /** What was wanted, and what stands there; the hint is the near miss among `among`, or the one given. */
  unexpected(wanted: string, among: readonly string[] = [], otherwise?: string): StreamsqlError {
    const token = this.peek();
    const near = token?.kind === 'word' ? nearest(token.text, among) : undefined;
    const hint = near === undefined ? otherwise : `did you mean ${near}?`;
    const found = token === undefined ? 'the end of the statement' : shown(token);
    return this.error('SYNTAX', `expected ${wanted}, found ${found}`, this.here(), hint);
  }

  error(code: ErrorCode, message: string, span: Span = this.here(), hint?: string): StreamsqlError {
    return new StreamsqlError(code, message, { span, hint });
  }
}

export const isName = (token: Token | undefined): boolean =>
  token?.kind === 'word' || token?.kind === 'quoted' || token?.kind === 'backticked';

/** Refuses names that are reserved for streamsql's own columns, and empty ones. */
export function checkName(token: Token): void {
  if (token.value.startsWith('$')) {
    throw new StreamsqlError('SYNTAX', 'names that begin with $ are reserved', { span: token.span });
  }
  if (token.value === '') throw new StreamsqlError('SYNTAX', 'a name is not empty', { span: token.span });
}

const MAX_SHOWN = 30;

function shown(token: Token): string {
  const oneLine = token.text.replaceAll(/\s+/g, ' ');
  return oneLine.length > MAX_SHOWN ? `${oneLine.slice(0, MAX_SHOWN)}…` : oneLine;
}

/** The token itself with another text; its span stays. */
export const withText = (token: Token, text: string): Token => ({ ...token, text });

/** A token that the user did not write, standing for the stretch of `like`. */
export function synthetic(text: string, like: Token, span: Span = like.span): Token {
  const word = /^\w+$/.test(text);
  return { kind: word ? 'word' : 'operator', text, value: text, key: text.toUpperCase(), span, gap: EMPTY };
}

const EMPTY: Span = { start: 0, end: 0 };

/** Tokens that take the place of `replaced`, so that the white space and comments before it stay. */
export const inGapOf = (replaced: Token, tokens: readonly Token[]): readonly Token[] =>
  tokens.map((token, i) => (i === 0 ? { ...token, gap: replaced.gap } : token));
