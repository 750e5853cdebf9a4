import { StreamsqlError, type Span } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { sameName } from '../base/schema.ts';
import type { Name } from './statements.ts';
import type { TokenCursor } from './token-cursor.ts';

/** What a list of columns says of them beside their types. */
export interface Constraints {
  readonly primaryKey: readonly Name[];
  /** Columns that are declared NOT NULL: of a source a promise that nothing relies on. */
  readonly notNull: readonly Name[];
}

const REFUSED: readonly { readonly words: readonly string[]; readonly hint: string }[] = [
  { words: ['CONSTRAINT'], hint: 'leave it out' },
  { words: ['UNIQUE'], hint: 'leave it out' },
  { words: ['CHECK'], hint: 'filter with WHERE in a view' },
  { words: ['FOREIGN', 'KEY'], hint: 'leave it out' },
  { words: ['REFERENCES'], hint: 'leave it out' },
  { words: ['DEFAULT'], hint: 'use a computed column: name AS coalesce(other, value)' },
  { words: ['GENERATED'], hint: 'write a computed column: name AS expression' },
  { words: ['LIKE'], hint: 'list the columns' },
  { words: ['PERIOD', 'FOR'], hint: 'write WATERMARK FOR column AS column - INTERVAL …' },
];

/** Gathers the constraints of one list of columns while it is read. */
export class ConstraintReader {
  private readonly cursor: TokenCursor;
  private key: readonly Name[] = [];
  private readonly notNull: Name[] = [];

  constructor(cursor: TokenCursor) {
    this.cursor = cursor;
  }

  /** `[CONSTRAINT name] PRIMARY KEY (a, b) [NOT ENFORCED]` in the place of a column; refuses other constraints. */
  table(readNames: () => readonly Name[]): boolean {
    if (
      !this.takesPrimaryKey(() => {
        if (!this.cursor.sees('(')) throw this.cursor.unexpected('the columns of the key in parentheses');
        return readNames();
      })
    ) {
      this.refuse();
      return false;
    }
    return true;
  }

  /** `PRIMARY KEY`, `NOT NULL`, `NULL` behind a column's type; refuses other constraints. */
  column(name: Name): void {
    for (;;) {
      if (this.cursor.takes('NOT', 'NULL')) this.notNull.push(name);
      else if (!this.cursor.takes('NULL') && !this.takesPrimaryKey(() => [name])) break;
    }
    this.refuse();
  }

  /** The whole of them; `columns` are those that the list has. */
  done(columns: readonly Name[]): Constraints {
    const primaryKey = this.key.map(({ text, span }) => {
      const column = columns.find((candidate) => sameName(candidate.text, text));
      if (column !== undefined) return { text: column.text, span };
      const near = nearest(
        text,
        columns.map((candidate) => candidate.text),
      );
      throw new StreamsqlError('SYNTAX', `the key names a column that is not there: ${text}`, {
        span,
        hint: near === undefined ? undefined : `did you mean ${near}?`,
      });
    });
    return { primaryKey, notNull: this.notNull };
  }

  private takesPrimaryKey(columns: () => readonly Name[]): boolean {
    const { cursor } = this;
    const named = cursor.sees('CONSTRAINT') && cursor.peek(2)?.key === 'PRIMARY' && cursor.peek(3)?.key === 'KEY';
    if (!named && !cursor.sees('PRIMARY', 'KEY')) return false;
    if (named) {
      cursor.next();
      cursor.name('a constraint');
    }
    const span: Span = { start: cursor.here().start, end: cursor.peek(1)?.span.end ?? cursor.here().end };
    cursor.takes('PRIMARY', 'KEY');
    if (this.key.length > 0) throw cursor.error('SYNTAX', 'there is one PRIMARY KEY already', span);
    this.key = columns();
    if (cursor.sees('ENFORCED')) {
      const hint = 'write NOT ENFORCED, or leave it out: what a key means is said by the format';
      throw cursor.error('UNSUPPORTED', 'PRIMARY KEY … ENFORCED is not supported', undefined, hint);
    }
    cursor.takes('NOT', 'ENFORCED');
    return true;
  }

  private refuse(): void {
    const { cursor } = this;
    for (const { words, hint } of REFUSED) {
      if (!cursor.sees(...words)) continue;
      const span = { start: cursor.here().start, end: cursor.peek(words.length - 1)?.span.end ?? cursor.here().end };
      throw cursor.error('UNSUPPORTED', `${words.join(' ')} is not supported here`, span, hint);
    }
  }
}

/** Refuses NOT NULL of a list of columns that may not have it. */
export function refuseNotNull(what: string, [first]: readonly Name[]): void {
  if (first === undefined) return;
  throw new StreamsqlError('UNSUPPORTED', `NOT NULL is not supported in ${what}`, {
    span: first.span,
    hint: 'leave it out',
  });
}
