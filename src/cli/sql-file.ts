import { readFileSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import type { Io } from './io.ts';

/** The text of FILE, or of standard input where FILE is `-`. */
export interface SqlFile {
  /** What errors call it. */
  readonly name: string;
  readonly text: string;
  /** The file's name without folder and ending; undefined for standard input and -c. */
  readonly stem: string | undefined;
}

/** The text of FILE, or what stands in its place. Throws USAGE where there is neither, or both. */
export async function givenSql(file: string | undefined, command: string | undefined, io: Io): Promise<SqlFile> {
  if (file !== undefined && command !== undefined)
    throw new StreamsqlError('USAGE', `run takes a FILE or -c SQL, and both were given`, { hint: `leave ${file} out` });
  if (command !== undefined) return { name: '-c', text: command, stem: undefined };
  if (file !== undefined) return readSqlFile(file, io);
  throw new StreamsqlError('USAGE', 'run takes a FILE, or SQL after -c', { hint: `see ${io.command} run --help` });
}

export async function readSqlFile(file: string, io: Io): Promise<SqlFile> {
  if (file === '-') return { name: '<stdin>', text: await io.readStdin(), stem: undefined };
  try {
    const text = readFileSync(resolve(io.cwd, file), 'utf8').replace(/^\ufeff/, '');
    return { name: file, text, stem: basename(file, extname(file)) };
  } catch (error) {
    throw missing(file, error);
  }
}

function missing(file: string, error: unknown): StreamsqlError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') {
    return new StreamsqlError('FILE_MISSING', `there is no file ${file}`, {
      hint: 'FILE is the path of a .sql file, or - for standard input',
      cause: error,
    });
  }
  const why = code === 'EISDIR' ? 'it is a folder' : error instanceof Error ? error.message : String(error);
  return new StreamsqlError('FILE_MISSING', `${file} cannot be read: ${why}`, { cause: error });
}
