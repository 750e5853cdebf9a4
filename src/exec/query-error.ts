import { StreamsqlError, type ErrorCode, type Span } from '../base/errors.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  Parser: 'SYNTAX',
  Syntax: 'SYNTAX',
  Binder: 'BIND',
  Catalog: 'BIND',
};

/** DuckDB's error about the user's own SQL, said with `errors_as_json`, as one of ours with its place in the text. */
export function queryError(error: unknown, text: string): unknown {
  if (error instanceof StreamsqlError || !(error instanceof Error)) return error;
  const details = jsonDetails(error.message);
  if (details === undefined) {
    return new StreamsqlError('EXECUTION', error.message.split('\n')[0] ?? error.message, { cause: error });
  }
  const [message = '', ...rest] = details.message.split('\n');
  return new StreamsqlError(CODES[details.type] ?? 'EXECUTION', message, {
    span: details.position === undefined ? undefined : spanAt(text, details.position, details.type),
    hint: rest.length === 0 ? undefined : rest.join('; '),
    cause: error,
  });
}

interface Details {
  readonly type: string;
  readonly message: string;
  readonly position: number | undefined;
}

function jsonDetails(message: string): Details | undefined {
  const start = message.indexOf('{');
  if (start === -1) return undefined;
  try {
    const found = JSON.parse(message.slice(start)) as Record<string, unknown>;
    const { exception_type: type, exception_message: said, position } = found;
    if (typeof type !== 'string' || typeof said !== 'string') return undefined;
    return { type, message: said, position: typeof position === 'string' ? Number(position) : undefined };
  } catch {
    return undefined;
  }
}

/** The parser counts code points, all others bytes of UTF-8. */
function spanAt(text: string, position: number, type: string): Span {
  const before =
    type === 'Parser' || type === 'Syntax'
      ? Array.from(text).slice(0, position).join('')
      : Buffer.from(text).subarray(0, position).toString();
  const start = before.length;
  const token = /^(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|[\p{L}\p{N}_]+|.)/su.exec(text.slice(start))?.[0] ?? '';
  return { start, end: start + Math.max(1, token.length) };
}
