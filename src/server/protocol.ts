import { StreamsqlError, type ErrorCode, type Span } from '../base/errors.ts';
import { ERROR_CODES } from '../base/errors.ts';
import type { ReadPart } from '../base/run.ts';
import type { EngineStatus } from '../base/status.ts';

/**
 * What goes over the socket: JSON, one object a line. The client sends one request, the engine answers with lines of which the
 * last is `end` or `error`, and ends the connection. Who goes away before that is answered no more.
 */
export const PROTOCOL = 1;

export type Request =
  | { readonly streamsql: number; readonly ask: 'query'; readonly sql: string; readonly cwd: string }
  | { readonly streamsql: number; readonly ask: 'status' };

export type Reply =
  /** First of all. */
  | { readonly streamsql: number; readonly version: string; readonly pid: number }
  /** So many queries run, and so many wait before this one. */
  | { readonly waiting: { readonly running: number; readonly before: number } }
  | ReadPart
  | { readonly status: EngineStatus }
  | { readonly error: SentError }
  | { readonly end: true };

export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly span: Span | null;
  readonly hint: string | null;
}

export function sentError(thrown: unknown): SentError {
  const error = thrown instanceof StreamsqlError ? thrown : undefined;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: error?.code ?? 'INTERNAL', message, span: error?.span ?? null, hint: error?.hint ?? null };
}

export function receivedError({ code, message, span, hint }: SentError): StreamsqlError {
  const known = Object.hasOwn(ERROR_CODES, code) ? code : 'INTERNAL';
  return new StreamsqlError(known, message, { span: span ?? undefined, hint: hint ?? undefined });
}

export const lineOf = (message: Request | Reply): string => `${JSON.stringify(message)}\n`;

/** The lines of a stream of bytes, as JSON. `most`: the bytes of a line; RangeError where one is longer. */
export async function* jsonLines(bytes: AsyncIterable<Uint8Array>, most = Infinity): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of bytes) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > most) throw new RangeError(`a line is longer than ${most}`);
    for (const line of lines) yield JSON.parse(line) as unknown;
  }
}
