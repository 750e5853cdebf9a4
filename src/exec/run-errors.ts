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
  return new StreamsqlError('STATE', `${db} cannot be opened: ${message.split('\n')[0] ?? ''}`, { cause: error });
}

/** What DuckDB says while it runs the user's own expressions. */
export function asExecutionError(error: unknown): unknown {
  if (error instanceof StreamsqlError || !(error instanceof Error)) return error;
  if (error.message.includes('No space left on device') || ('code' in error && error.code === 'ENOSPC')) {
    return new StreamsqlError('EXECUTION', `the disk is full: ${error.message.split('\n')[0] ?? ''}`, {
      hint: 'make room and run the same command again: it goes on from the last epoch that was committed',
      cause: error,
    });
  }
  if (!/^[A-Z]\w+( \w+)* Error: /.test(error.message)) return error;
  return new StreamsqlError('EXECUTION', error.message.split('\n')[0] ?? error.message, { cause: error });
}
