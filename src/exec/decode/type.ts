import { StreamsqlError } from '../../base/errors.ts';

/** A DuckDB type taken apart as far as decoding needs it; `text` is DuckDB's own text of it. */
export type TypeTree =
  | { readonly kind: 'scalar'; readonly text: string; readonly name: string; readonly args: readonly number[] }
  /** `T[]`, and `T[3]` too: an array is read as a list and cast. */
  | { readonly kind: 'list'; readonly text: string; readonly element: TypeTree }
  | { readonly kind: 'struct'; readonly text: string; readonly fields: readonly StructField[] }
  | { readonly kind: 'map'; readonly text: string; readonly key: TypeTree; readonly value: TypeTree };

export interface StructField {
  readonly name: string;
  readonly type: TypeTree;
}

const TOKEN = /\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|[\w$]+|[(),[\]])/y;

/** Takes the text of a type apart, as `DESCRIBE` prints it: `STRUCT(a BIGINT, "b c" DECIMAL(5,2)[])`. */
export function parseType(text: string): TypeTree {
  const parser = new TypeParser(text);
  const tree = parser.type();
  if (!parser.atEnd()) throw parser.error();
  return tree;
}

class TypeParser {
  private readonly tokens: { readonly text: string; readonly start: number; readonly end: number }[] = [];
  private readonly source: string;
  private at = 0;

  constructor(source: string) {
    this.source = source;
    TOKEN.lastIndex = 0;
    let end = 0;
    for (let match = TOKEN.exec(source); match !== null; match = TOKEN.exec(source)) {
      end = TOKEN.lastIndex;
      const token = match[1] ?? '';
      this.tokens.push({ text: token, start: end - token.length, end });
    }
    if (source.slice(end).trim() !== '') throw this.error();
  }

  type(): TypeTree {
    const start = this.at;
    let tree = this.unadorned(start);
    while (this.peek() === '[') {
      this.at++;
      if (this.peek() !== ']') this.at++;
      this.take(']');
      tree = { kind: 'list', text: this.textFrom(start), element: tree };
    }
    return tree;
  }

  atEnd(): boolean {
    return this.at === this.tokens.length;
  }

  error(): StreamsqlError {
    return new StreamsqlError('INTERNAL', `cannot take the type ${this.source} apart`);
  }

  private unadorned(start: number): TypeTree {
    const word = this.next().toUpperCase();
    if (word === 'STRUCT' && this.peek() === '(') {
      const fields = this.list(() => ({ name: unquote(this.next()), type: this.type() }));
      return { kind: 'struct', text: this.textFrom(start), fields };
    }
    if (word === 'MAP' && this.peek() === '(') {
      const [key, value] = this.list(() => this.type());
      if (key === undefined || value === undefined) throw this.error();
      return { kind: 'map', text: this.textFrom(start), key, value };
    }
    return this.scalar(word, start);
  }

  /** A name of one or several words (`TIMESTAMP WITH TIME ZONE`), with arguments that are skipped. */
  private scalar(word: string, start: number): TypeTree {
    let name = word;
    while (/^[A-Za-z]/.test(this.peek() ?? '')) name += ` ${this.next().toUpperCase()}`;
    const args: number[] = [];
    if (this.peek() === '(') {
      for (let depth = 0; ;) {
        const token = this.next();
        if (token === '(') depth++;
        if (token === ')') depth--;
        if (/^\d+$/.test(token)) args.push(Number(token));
        if (depth === 0) break;
      }
    }
    return { kind: 'scalar', text: this.textFrom(start), name, args };
  }

  private list<T>(item: () => T): T[] {
    const items: T[] = [];
    this.take('(');
    do items.push(item());
    while (this.skip(','));
    this.take(')');
    return items;
  }

  private textFrom(start: number): string {
    return this.source.slice(this.tokens[start]?.start, this.tokens[this.at - 1]?.end);
  }

  private peek(): string | undefined {
    return this.tokens[this.at]?.text;
  }

  private next(): string {
    const token = this.tokens[this.at++]?.text;
    if (token === undefined) throw this.error();
    return token;
  }

  private skip(token: string): boolean {
    if (this.peek() !== token) return false;
    this.at++;
    return true;
  }

  private take(token: string): void {
    if (!this.skip(token)) throw this.error();
  }
}

const unquote = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);
