import { renderError, StreamsqlError, type SourceText } from '../base/errors.ts';
import { printableLines } from './printable.ts';
import type { Style } from './style.ts';

/** An error, with the text that its span points into. */
export class Failure extends Error {
  readonly error: StreamsqlError;
  readonly source: SourceText;

  constructor(error: StreamsqlError, source: SourceText) {
    super(error.message, { cause: error });
    this.error = error;
    this.source = source;
  }
}

/** Runs `action`; what it throws on purpose points into `source`. */
export async function pointing<T>(source: SourceText, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof StreamsqlError ? new Failure(error, source) : error;
  }
}

/** Whatever was thrown as a StreamsqlError: what we did not throw on purpose is a bug of ours, INTERNAL. */
export function failureOf(thrown: unknown): {
  readonly error: StreamsqlError;
  readonly source: SourceText | undefined;
} {
  if (thrown instanceof Failure) return { error: thrown.error, source: thrown.source };
  if (thrown instanceof StreamsqlError) return { error: thrown, source: undefined };
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { error: new StreamsqlError('INTERNAL', message, { cause: thrown }), source: undefined };
}

/** The error for people: red code, caret, hint; the stack only where it is asked for. */
export function failureText(thrown: unknown, style: Style, verbose: boolean): string {
  const { error, source } = failureOf(thrown);
  const shown =
    error.code === 'INTERNAL'
      ? new StreamsqlError('INTERNAL', `internal error, a bug of streamsql: ${error.message}`, {
          span: error.span,
          hint: verbose ? 'please report it with the SQL' : 'please report it with the SQL and what --verbose says',
        })
      : error;
  const [first = '', ...rest] = printableLines(renderError(shown, source)).split('\n');
  const head = first.replace(/^error\[\w+\]/, (code) => style.bold(style.red(code)));
  const stack = verbose && error.code !== 'USAGE' ? printableLines(stacks(error)) : '';
  return `${[head, ...rest].join('\n')}\n${stack}`;
}

function stacks(error: unknown): string {
  const lines: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) lines.push(at.stack ?? String(at));
  return `${lines.join('\ncaused by ')}\n`;
}
