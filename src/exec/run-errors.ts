import { basename } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import type { Script } from '../parser/statements.ts';
import { redact } from '../parser/variables.ts';

/** What the environment gave may stand in no message. */
export function redacted(error: unknown, script: Script): unknown {
  if (!(error instanceof StreamsqlError) || script.secrets.length === 0) return error;
  const hint = error.hint === undefined ? undefined : redact(error.hint, script.secrets);
  return new StreamsqlError(error.code, redact(error.message, script.secrets), {
    span: error.span,
    hint,
    cause: error,
  });
}

/** DuckDB says which process holds the file: "Conflicting lock is held in … (PID 123)". */
export function openError(db: string, error: unknown): StreamsqlError {
  const message = error instanceof Error ? error.message : String(error);
  const pid = /PID (\d+)/.exec(message)?.[1];
  if (pid !== undefined)
    return new StreamsqlError('LOCKED', `${basename(db)} is in use by the process ${pid}`, { cause: error });
  return new StreamsqlError('STATE', `${db} cannot be opened: ${message.split('\n')[0] ?? ''}`, {
    hint: PUT_BACK,
    cause: error,
  });
}

const PUT_BACK =
  'put a good copy of it back, with its .wal file if there is one; or remove both and run with --fresh, which starts from the beginning';

/** What DuckDB says of a database whose blocks or whose log are not what was written. */
const DAMAGE = /Corrupt database file|Corrupt WAL file|Could not read enough bytes from file "[^"]*\.(duckdb|db)"/;

/** DuckDB's own words, which with errors_as_json stand in an object. */
function wordsOf(message: string): string {
  if (!message.startsWith('{')) return message;
  try {
    const { exception_type: type, exception_message: words } = JSON.parse(message) as Readonly<Record<string, unknown>>;
    return typeof type === 'string' && typeof words === 'string' ? `${type} Error: ${words}` : message;
  } catch {
    return message;
  }
}

/** What DuckDB says while it runs the user's own expressions, or finds in the results in `db`. */
export function asExecutionError(error: unknown, db: string): unknown {
  if (error instanceof StreamsqlError || !(error instanceof Error)) return error;
  const message = wordsOf(error.message).split('\n')[0] ?? '';
  if (DAMAGE.test(message)) return new StreamsqlError('STATE', `${db} is damaged: ${message}`, { hint: PUT_BACK, cause: error }); // prettier-ignore
  if (error.message.includes('No space left on device') || ('code' in error && error.code === 'ENOSPC')) {
    return new StreamsqlError('EXECUTION', `the disk is full: ${error.message.split('\n')[0] ?? ''}`, {
      hint: 'make room and run the same command again: it goes on from the last epoch that was committed',
      cause: error,
    });
  }
  if (!/^[A-Z]\w+( \w+)* Error: /.test(message)) return error;
  return new StreamsqlError('EXECUTION', message, { cause: error });
}
