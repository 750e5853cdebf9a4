import { resolve } from 'node:path';
import type { SourceContext } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { FoundFile } from './glob.ts';

/** A file of a reader's list: where reading it begins. */
export interface ListedFile {
  readonly file: FoundFile;
  /** Absent where it is not there any more. */
  readonly isThere: boolean;
  readonly position: number;
  readonly ordinal: number;
  /** Where it ended when it was read before. */
  readonly end: number | undefined;
}

/** What of the host's context files are opened with. */
export type FileContext = Pick<SourceContext, 'resume' | 'skipped'>;

/** The paths of the files that were known. */
export const knownPaths = ({ resume }: FileContext, cwd: string): readonly string[] =>
  (resume?.partitions ?? []).map(({ name }) => resolve(cwd, name));

/** The files that were known, in their order, then those that turned up. */
export function listFiles(found: readonly FoundFile[], context: FileContext, cwd: string): readonly ListedFile[] {
  const there = new Map(found.map((file) => [file.path, file]));
  const known = (context.resume?.partitions ?? []).map(({ name, position, ordinal = 0, end }) => {
    const path = resolve(cwd, name);
    return { file: { name, path }, isThere: there.delete(path), position, ordinal, end };
  });
  const fresh = [...there.values()].map((file) => ({ file, isThere: true, position: 0, ordinal: 0, end: undefined }));
  return [...known, ...fresh];
}

/** Whether it was read to its end. */
export const isFinished = ({ position, end }: ListedFile): boolean => end !== undefined && position >= end;

type Unit = 'byte' | 'row';

/** A file is gone that was not read to its end: an error, or where the user said so a note and no more of that file. */
export function passGone({ file, position, end }: ListedFile, unit: Unit, context: FileContext): void {
  const rest = end === undefined ? `what follows ${unit} ${position}` : `${unit}s ${position} to ${end - 1}`;
  if (context.skipped === undefined) throw gap(`${file.name} is gone: ${rest} cannot be read`, SKIP);
  context.skipped(file.name, position, end ?? position);
}

/** A file ends at `size`, before what was read of it. */
export function passShorter(listed: ListedFile, size: number, unit: Unit, context: FileContext): void {
  const { file, position, end } = listed;
  if (context.skipped === undefined) throw shorterFile(file, size, position, unit, SKIP);
  context.skipped(file.name, size, Math.max(position, end ?? 0));
}

/** A file ends at `size`, before what was read of it and is to be read again. */
export function shorterFile(file: FoundFile, size: number, position: number, unit: Unit, skip = ''): StreamsqlError {
  return gap(`${file.name} ends at ${unit} ${size} now, though it was read up to ${unit} ${position}`, skip);
}

/** What is at the position is not what was there. */
export function changedFile(file: FoundFile, position: number): StreamsqlError {
  return gap(`${file.name} has changed: no record ends at byte ${position}, up to which it was read`);
}

const SKIP = 'go on without it with --on-gap skip, ';

function gap(message: string, skip = ''): StreamsqlError {
  return new StreamsqlError('GAP', message, {
    hint: `put the file back as it was, ${skip}or run from the start with --fresh`,
  });
}
