import { StreamsqlError } from '../../base/errors.ts';
import { nearest } from '../../base/options.ts';
import type { FoundFile } from './glob.ts';

export function missingColumn(file: FoundFile, column: string, names: readonly string[]): StreamsqlError {
  const near = nearest(column, names);
  return new StreamsqlError('SOURCE', `${file.name} has no column ${column}`, {
    hint: near === undefined ? `it has ${names.join(', ')}` : `did you mean ${near}?`,
  });
}
