/** What has been typed so far: the statements that are whole, each without its semicolon, and what is not whole yet. */
export interface Split {
  readonly whole: readonly string[];
  readonly rest: string;
}

/**
 * A semicolon, or what may hold one: comments, strings, quoted names, `${NAME:-default}`. And words, for a `$` or a quote within one begins
 * no string. A string, a name or a default that never ends goes on to the end of the text.
 */
const PIECES =
  /;|--[^\r\n]*|\/\*|[eE]'[^'\\]*(?:(?:\\[^]|'')[^'\\]*)*'?|'[^']*'?|"[^"]*"?|`[^`]*`?|\$\{[^}]*\}?|\$(?:[A-Za-z_]\w*)?\$|(?:[A-Za-z_]|[^\p{ASCII}\s])(?:[\w$]|[^\p{ASCII}\s])*/gu;

/** Cuts a text at the semicolons that end statements. */
export function splitStatements(text: string): Split {
  const whole: string[] = [];
  let from = 0;
  for (;;) {
    const end = endOfStatement(text, from);
    if (end === undefined) return { whole, rest: text.slice(from) };
    const statement = text.slice(from, end);
    if (!isBlank(statement)) whole.push(statement);
    from = end + 1;
  }
}

/** The offset of the semicolon that ends the statement at `from`; undefined where it is not whole. */
export function endOfStatement(text: string, from: number): number | undefined {
  for (const { piece, start } of piecesOf(text, from)) if (piece === ';') return start;
  return undefined;
}

/** What a text ends within. */
export function endsWithin(text: string): 'string' | 'name' | 'comment' | undefined {
  for (const { piece, end } of piecesOf(text, 0)) {
    if (end !== undefined) continue;
    if (/^(?:--|\/\*)/.test(piece)) return 'comment';
    return /^["`]/.test(piece) ? 'name' : 'string';
  }
  return undefined;
}

/** `end` is undefined of the last one where it never ends. */
function* piecesOf(
  text: string,
  from: number,
): Generator<{ readonly piece: string; readonly start: number; readonly end: number | undefined }> {
  for (let at: number | undefined = from; at !== undefined;) {
    PIECES.lastIndex = at;
    const found = PIECES.exec(text);
    if (found === null) return;
    const [piece] = found;
    const start = found.index;
    at = endOf(text, piece, start);
    yield { piece, start, end: at };
  }
}

function endOf(text: string, piece: string, start: number): number | undefined {
  const end = start + piece.length;
  if (piece === '/*') return endOfComment(text, start);
  if (piece.startsWith('--')) return end === text.length ? undefined : end;
  const tag = /^\$\w*\$$/.test(piece);
  if (tag) {
    const closing = text.indexOf(piece, end);
    return closing === -1 ? undefined : closing + piece.length;
  }
  const quote = /^(?:[eE]?')|^["`]/.exec(piece)?.[0];
  if (quote === undefined) return end;
  return piece.length > quote.length && piece.endsWith(quote.slice(-1)) ? end : undefined;
}

/** The offset of what comes after spaces and comments. A comment that never ends is no comment yet. */
export function skipBlank(text: string, from: number): number {
  for (let at = from; ;) {
    const blank = /\s*(?:--[^\r\n]*\s*)*/y;
    blank.lastIndex = at;
    at += blank.exec(text)?.[0].length ?? 0;
    const end = text.startsWith('/*', at) ? endOfComment(text, at) : undefined;
    if (end === undefined) return at;
    at = end;
  }
}

/** Comments stand within comments. */
function endOfComment(text: string, start: number): number | undefined {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.index + 2;
  }
  return undefined;
}

/** Whether there is nothing in it but spaces and comments. */
export const isBlank = (text: string): boolean => skipBlank(text, 0) === text.length;

/** A name, as it is or in quotes. */
export const unquoted = (name: string): string =>
  /^"(?:[^"]|"")+"$/.test(name) ? name.slice(1, -1).replaceAll('""', '"') : name;
