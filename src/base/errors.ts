/** Every way streamsql can say no. The list is closed; `retry` says whether the same call may succeed later. */
export const ERROR_CODES = {
  USAGE: { exit: 2, retry: false, about: 'the command line does not parse' },
  SYNTAX: { exit: 1, retry: false, about: 'the text is no statement of the dialect' },
  BIND: { exit: 1, retry: false, about: 'a name, type or function does not fit' },
  UNSUPPORTED: { exit: 1, retry: false, about: 'SQL that has no incremental meaning here (yet)' },
  OPTION: { exit: 1, retry: false, about: 'an unknown option or a bad value' },
  CONSTRAINT: { exit: 1, retry: false, about: 'rows that a constraint of their table does not allow' },
  CATALOG: { exit: 1, retry: false, about: 'an object is missing, or its name is taken' },
  FILE_MISSING: { exit: 1, retry: false, about: 'a file that was named is not there' },
  STATE: { exit: 1, retry: false, about: 'the state folder or database is not one that this run may use' },
  TEST_FAILED: { exit: 1, retry: false, about: 'an expectation of a *.test.sql file does not hold' },
  SOURCE: { exit: 3, retry: true, about: 'a source cannot be read' },
  GAP: { exit: 3, retry: false, about: 'records that are to be read are not there any more' },
  SINK: { exit: 3, retry: true, about: 'a sink cannot be written' },
  DATA: { exit: 3, retry: false, about: 'a record was refused where strict = true' },
  LOCKED: { exit: 3, retry: true, about: 'another process holds the database or the state' },
  EXECUTION: { exit: 3, retry: false, about: 'an epoch failed' },
  INTERNAL: { exit: 3, retry: false, about: 'a bug of streamsql itself' },
} as const satisfies Record<string, { exit: 1 | 2 | 3; retry: boolean; about: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A stretch of the user's own text, in UTF-16 code units: `start` inclusive, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The text an error points into, and what to call it. */
export interface SourceText {
  readonly name: string;
  readonly text: string;
}

export interface ErrorDetails {
  readonly span?: Span | undefined;
  /** What to do about it, as one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** The one error type that streamsql throws on purpose; anything else that escapes is a bug of ours. */
export class StreamsqlError extends Error {
  readonly code: ErrorCode;
  readonly span: Span | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'StreamsqlError';
    this.code = code;
    this.span = details.span;
    this.hint = details.hint;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

/** An error of ours with another span; all else as it is, and anything that is none of ours. */
export function withSpan(error: unknown, spanOf: (span: Span | undefined) => Span | undefined): unknown {
  if (!(error instanceof StreamsqlError)) return error;
  const span = spanOf(error.span);
  if (span === error.span) return error;
  return new StreamsqlError(error.code, error.message, { span, hint: error.hint, cause: error });
}

/** The same with the span's ends moved, where it has one. */
export const withSpanAt = (error: unknown, place: (offset: number) => number): unknown =>
  withSpan(error, (span) => (span === undefined ? span : { start: place(span.start), end: place(span.end) }));

/** For the end of a switch over a union: a forgotten case does not compile. */
export function unreachable(value: never): never {
  throw new StreamsqlError('INTERNAL', `a case was forgotten: ${JSON.stringify(value)}`);
}

/**
 * The error as a person reads it: code and message, then the line with a caret under the span, then the hint.
 * `source` is the text that spans point into; without it only the message and the hint are shown.
 */
export function renderError(error: StreamsqlError, source?: SourceText): string {
  const lines = [`error[${error.code}]: ${error.message}`];
  if (error.span !== undefined && source !== undefined) lines.push(...caret(error.span, source));
  if (error.hint !== undefined) lines.push(`  hint: ${error.hint}`);
  return lines.join('\n');
}

/** 1-based line and column (in code points) of an offset. */
export function position(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: Array.from(before.slice(lineStart)).length + 1 };
}

/** The value of an option such as sasl_password: an error is often passed on. */
const SECRET = /(\bs(?:as|s)l_\w*(?:password|secret|token)\s*=\s*')([^']*)/giu;

/** Of the same length, so that the caret stays where it is. */
const masked = (_: string, name: string, value: string): string => name + value.replace(/[^\s]/gu, '*');

function caret(span: Span, source: SourceText): string[] {
  const start = Math.min(span.start, source.text.length);
  const { line, column } = position(source.text, start);
  const lineStart = source.text.lastIndexOf('\n', start - 1) + 1;
  const newline = source.text.indexOf('\n', lineStart);
  const lineEnd = newline === -1 ? source.text.length : newline;
  const shown = source.text.slice(lineStart, lineEnd).replace(/\r$/, '').replace(SECRET, masked);
  const pad = source.text.slice(lineStart, start).replace(/[^\t]/gu, ' ');
  const width = Math.max(1, Array.from(source.text.slice(start, Math.min(span.end, lineEnd))).length);
  const gutter = String(line);
  const blank = ' '.repeat(gutter.length);
  return [
    `${blank}--> ${source.name}:${line}:${column}`,
    `${blank} |`,
    `${gutter} | ${shown}`,
    `${blank} | ${pad}${'^'.repeat(width)}`,
  ];
}
