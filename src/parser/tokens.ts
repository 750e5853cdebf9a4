import { StreamsqlError, type Span } from '../base/errors.ts';

export type TokenKind = 'word' | 'quoted' | 'backticked' | 'string' | 'number' | 'operator' | 'parameter' | 'variable';

/** One token of a script. Rewrites make new tokens; `span` always says which stretch of the script a token stands for. */
export interface Token {
  readonly kind: TokenKind;
  /** As DuckDB is to read it: as written, until a rewrite changes it. */
  readonly text: string;
  /** A name without its quotes, a string's content with its escapes undone; otherwise the text. */
  readonly value: string;
  /** What keywords and operators are compared by: a word in capitals, an operator as it is, '' for all else. */
  readonly key: string;
  readonly span: Span;
  /** The white space and comments between the token before and this one. */
  readonly gap: Span;
}

const NON_ASCII = String.raw`(?![\s‘’“”\u200B-\u200D\u2060])[^\x00-\x7F]`;
const WORD = new RegExp(`(?:[A-Za-z_]|${NON_ASCII})(?:[\\w$]|${NON_ASCII})*`, 'y');
const NUMBER =
  /0[xX][\da-fA-F_]+|0[bB][01_]+|\d[\d_]*(?:\.(?:\d[\d_]*|(?![.A-Za-z_"])))?(?:[eE][+-]?\d+)?|\.\d[\d_]*(?:[eE][+-]?\d+)?/y;
const OPERATOR = /=>|->>|->|::|:=|<=|>=|<>|!=|\|\||[-+*/%^&|~<>=!@#.,;:()[\]{}]/y;
const DOLLAR_QUOTE = /\$(?:[A-Za-z_]\w*)?\$/y;
const VARIABLE = /\$\{[A-Za-z_]\w*(?::-[^}]*)?\}/y;
const PARAMETER = /\?|\$\w+/y;
const STRING_START = /[eExXbBnN]?'/y;

/**
 * The tokens of `text`, without comments and white space. Throws SYNTAX where a string, a quoted name or a comment
 * never ends, and at a character that begins no token.
 */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    const start = skipGap(text, at);
    if (start === text.length) return tokens;
    const gap = { start: at, end: start };
    const token = readToken(text, start, gap);
    tokens.push(token);
    at = token.span.end;
  }
}

/** The offset of the next token at or after `at`. */
function skipGap(text: string, at: number): number {
  for (;;) {
    if (/\s/.test(text.charAt(at))) at++;
    else if (text.startsWith('--', at)) at = endOfLine(text, at);
    else if (text.startsWith('/*', at)) at = endOfComment(text, at);
    else return at;
  }
}

function endOfLine(text: string, at: number): number {
  const length = text.slice(at).search(/[\r\n]/);
  return length === -1 ? text.length : at + length;
}

function endOfComment(text: string, start: number): number {
  let depth = 0;
  for (const mark of text.slice(start).matchAll(/\/\*|\*\//g)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return start + mark.index + 2;
  }
  throw unterminated('this comment never ends', { start, end: start + 2 }, 'close it with */');
}

function readToken(text: string, start: number, gap: Span): Token {
  const token = (kind: TokenKind, end: number, value?: string): Token => {
    const written = text.slice(start, end);
    const key = kind === 'word' ? written.toUpperCase() : kind === 'operator' ? written : '';
    return { kind, text: written, value: value ?? written, key, span: { start, end }, gap };
  };
  const here = text.charAt(start);
  const opening = match(STRING_START, text, start);
  if (opening !== undefined) {
    const escapes = /^e/i.test(opening);
    const end = endOfQuoted(text, start + opening.length, "'", escapes, { start, end: text.length });
    return token('string', end, stringContent(text.slice(start, end)));
  }
  if (here === '"' || here === '`') {
    const end = endOfQuoted(text, start + 1, here, false, { start, end: text.length });
    const name = text.slice(start + 1, end - 1).replaceAll(here + here, here);
    return token(here === '"' ? 'quoted' : 'backticked', end, name);
  }
  if (here === '$') {
    const tag = match(DOLLAR_QUOTE, text, start);
    if (tag !== undefined) {
      const close = text.indexOf(tag, start + tag.length);
      if (close === -1)
        throw unterminated('this string never ends', { start, end: text.length }, `close it with ${tag}`);
      return token('string', close + tag.length, text.slice(start + tag.length, close));
    }
    const variable = match(VARIABLE, text, start);
    if (variable !== undefined) return token('variable', start + variable.length);
  }
  for (const [kind, pattern] of PATTERNS) {
    const found = match(pattern, text, start);
    if (found !== undefined) return token(kind, start + found.length);
  }
  throw strangeCharacter(text, start);
}

const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ['word', WORD],
  ['number', NUMBER],
  ['operator', OPERATOR],
  ['parameter', PARAMETER],
];

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function endOfQuoted(text: string, from: number, quote: string, escapes: boolean, span: Span): number {
  for (let at = from; at < text.length; at++) {
    if (escapes && text[at] === '\\') at++;
    else if (text[at] === quote && text[at + 1] === quote) at++;
    else if (text[at] === quote) return at + 1;
  }
  const what = quote === "'" ? 'string' : 'quoted name';
  throw unterminated(`this ${what} never ends`, span, `close it with ${quote}`);
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** What a string literal means, its quotes and prefix included in `written`. */
function stringContent(written: string): string {
  const quote = written.indexOf("'");
  return unescapeString(written.slice(quote + 1, -1), /^e/i.test(written));
}

/** The meaning of text between the quotes of a literal. */
export function unescapeString(body: string, escapes: boolean): string {
  if (!escapes) return body.replaceAll("''", "'");
  return body.replaceAll(
    /''|\\(?:x([\da-fA-F]{1,2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/g,
    (whole: string, ...[hex, short, long, octal, other]: readonly (string | undefined)[]) => {
      if (whole === "''") return "'";
      const digits = hex ?? short ?? long;
      if (digits !== undefined) return character(Number.parseInt(digits, 16));
      if (octal !== undefined) return character(Number.parseInt(octal, 8));
      return ESCAPES[other ?? ''] ?? other ?? '';
    },
  );
}

const LAST_CODE_POINT = 0x10ffff;
const character = (code: number): string => String.fromCodePoint(code > LAST_CODE_POINT ? 0xfffd : code);

function unterminated(message: string, span: Span, hint: string): StreamsqlError {
  return new StreamsqlError('SYNTAX', message, { span, hint });
}

function strangeCharacter(text: string, start: number): StreamsqlError {
  const found = character(text.codePointAt(start) ?? 0);
  const span = { start, end: start + found.length };
  if (text.startsWith('${', start)) {
    return new StreamsqlError('SYNTAX', 'this is no variable', {
      span: { start, end: start + 2 },
      hint: 'write ${NAME} or ${NAME:-default}',
    });
  }
  if (/[‘’“”]/.test(found)) {
    const plain = /[‘’]/.test(found) ? "'" : '"';
    return new StreamsqlError('SYNTAX', 'a typographic quote quotes nothing', { span, hint: `use ${plain}` });
  }
  const code = `U+${(text.codePointAt(start) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  const shown = /[\x21-\x7E]/.test(found) ? found : code;
  return new StreamsqlError('SYNTAX', `the character ${shown} has no meaning here`, { span });
}
