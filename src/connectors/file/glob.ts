import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { StreamsqlError, type Span } from '../../base/errors.ts';
import { nearest } from '../../base/options.ts';

/** A file that is there: `name` as people know it (relative where the pattern is), `path` absolute. */
export interface FoundFile {
  readonly name: string;
  readonly path: string;
}

/**
 * The files of a path, a glob or a list of them, each once, sorted by name. Throws FILE_MISSING for a part that names
 * none, unless it stands for one of `known`, absolute paths that were there before. `*` and `?` match within a name, `**`
 * any folders; names that begin with a dot only where the pattern does.
 */
export async function findFiles(
  patterns: string,
  cwd: string,
  span: Span,
  known: readonly string[] = [],
): Promise<readonly FoundFile[]> {
  const found = new Map<string, FoundFile>();
  for (const part of partsOf(patterns, cwd)) {
    refuseFolder(part, cwd, span);
    const names = await namesOf(part, cwd);
    const wasThere = isGlob(part) ? known.length > 0 : known.includes(resolve(cwd, part));
    if (names.length === 0 && !wasThere) throw await missing(part, cwd, span);
    for (const name of names) found.set(resolve(cwd, name), { name, path: resolve(cwd, name) });
  }
  return sorted(found);
}

/** The same of what is there now, which may be nothing, and the folders in which a file that turns up would be one more. */
export async function matchingFiles(
  patterns: string,
  cwd: string,
): Promise<{ readonly files: readonly FoundFile[]; readonly folders: ReadonlySet<string> }> {
  const found = new Map<string, FoundFile>();
  const folders = new Set<string>();
  for (const part of partsOf(patterns, cwd))
    for (const name of await namesOf(part, cwd, folders))
      found.set(resolve(cwd, name), { name, path: resolve(cwd, name) });
  return { files: sorted(found), folders };
}

/** Throws FILE_MISSING for a part that names a folder, or files of a folder that is not there. */
export async function checkFolders(patterns: string, cwd: string, span: Span): Promise<void> {
  for (const part of partsOf(patterns, cwd)) {
    refuseFolder(part, cwd, span);
    const segments = part.split('/');
    const first = segments.findIndex(isGlob);
    const folder = first === -1 ? dirname(part) : segments.slice(0, first).join('/') || (isAbsolute(part) ? '/' : '.');
    if (!isFolder(folder, cwd)) throw await missing(part, cwd, span);
  }
}

const isGlob = (part: string): boolean => /[*?]/.test(part);

function partsOf(patterns: string, cwd: string): readonly string[] {
  const parts = existsSync(resolve(cwd, patterns)) ? [patterns] : patterns.split(',').map((part) => part.trim());
  return parts.filter((one) => one !== '');
}

function refuseFolder(part: string, cwd: string, span: Span): void {
  if (!isFolder(part, cwd)) return;
  const hint = `name its files, such as ${join(part, '*.json')}`;
  throw new StreamsqlError('FILE_MISSING', `${part} is a folder, not a file`, { span, hint });
}

/** `folders`: those that were looked into, added to. */
async function namesOf(part: string, cwd: string, folders = new Set<string>()): Promise<readonly string[]> {
  if (isGlob(part)) return expand(part, cwd, folders);
  folders.add(resolve(cwd, dirname(part)));
  return existing(part, cwd);
}

const sorted = (found: ReadonlyMap<string, FoundFile>): readonly FoundFile[] =>
  [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

const isFolder = (name: string, cwd: string): boolean =>
  statSync(resolve(cwd, name), { throwIfNoEntry: false })?.isDirectory() === true;

const existing = (name: string, cwd: string): readonly string[] => (existsSync(resolve(cwd, name)) ? [name] : []);

async function expand(pattern: string, cwd: string, folders: Set<string>): Promise<readonly string[]> {
  const segments = pattern.split('/').filter((segment) => segment !== '' && segment !== '.');
  return walk(isAbsolute(pattern) ? '/' : '', segments, cwd, folders);
}

async function walk(
  folder: string,
  segments: readonly string[],
  cwd: string,
  folders: Set<string>,
): Promise<readonly string[]> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return [];
  if (isGlob(segment) || rest.length === 0) folders.add(resolve(cwd, folder));
  if (segment === '**') {
    const here = await walk(folder, rest, cwd, folders);
    const below = (await entries(folder, cwd)).filter((entry) => entry.isFolder && !entry.name.startsWith('.'));
    const deeper = await Promise.all(below.map(({ name }) => walk(join(folder, name), segments, cwd, folders)));
    return [...here, ...deeper.flat()];
  }
  if (!isGlob(segment)) {
    const path = join(folder, segment);
    if (rest.length > 0) return walk(path, rest, cwd, folders);
    return existsSync(resolve(cwd, path)) ? [path] : [];
  }
  const matches = (await entries(folder, cwd)).filter(
    ({ name, isFolder }) => matcher(segment).test(name) && isFolder === rest.length > 0,
  );
  if (rest.length === 0) return matches.map(({ name }) => join(folder, name));
  return (await Promise.all(matches.map(({ name }) => walk(join(folder, name), rest, cwd, folders)))).flat();
}

async function entries(folder: string, cwd: string): Promise<readonly { name: string; isFolder: boolean }[]> {
  try {
    const found = await readdir(resolve(cwd, folder), { withFileTypes: true });
    return found.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  } catch {
    return []; // No folder there, or none that may be read: nothing matches.
  }
}

function matcher(segment: string): RegExp {
  const body = segment
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${segment.startsWith('.') ? '' : '(?!\\.)'}${body}$`, 'su');
}

async function missing(part: string, cwd: string, span: Span): Promise<StreamsqlError> {
  if (isGlob(part))
    return new StreamsqlError('FILE_MISSING', `no file matches ${part}`, { span, hint: `it was looked for in ${cwd}` });
  const folder = dirname(part);
  const files = await entries(folder, cwd);
  const near = nearest(basename(part), files.map(({ name }) => name)); // prettier-ignore
  const hint =
    near !== undefined
      ? `did you mean ${join(folder, near)}?`
      : existsSync(resolve(cwd, folder))
        ? `the folder ${resolve(cwd, folder)} has no such file`
        : `there is no folder ${resolve(cwd, folder)}`;
  return new StreamsqlError('FILE_MISSING', `there is no file ${part}`, { span, hint });
}
