import { StreamsqlError } from '../base/errors.ts';

/** Writes a file that was named; throws USAGE where that cannot be. */
export function written(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StreamsqlError('USAGE', `${path} cannot be written: ${why}`, { cause: error });
  }
}
