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
  const parts = existsSync(resolve(cwd, patterns)) ? [patterns] : patterns.split(',').map((part) => part.trim());
  const found = new Map<string, FoundFile>();
  for (const part of parts.filter((one) => one !== '')) {
    if (isFolder(part, cwd)) {
      const hint = `name its files, such as ${join(part, '*.json')}`;
      throw new StreamsqlError('FILE_MISSING', `${part} is a folder, not a file`, { span, hint });
    }
    const isGlob = /[*?]/.test(part);
    const names = isGlob ? await expand(part, cwd) : existing(part, cwd);
    const wasThere = isGlob ? known.length > 0 : known.includes(resolve(cwd, part));
    if (names.length === 0 && !wasThere) throw await missing(part, cwd, span);
    for (const name of names) found.set(resolve(cwd, name), { name, path: resolve(cwd, name) });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

const isFolder = (name: string, cwd: string): boolean =>
  statSync(resolve(cwd, name), { throwIfNoEntry: false })?.isDirectory() === true;

const existing = (name: string, cwd: string): readonly string[] => (existsSync(resolve(cwd, name)) ? [name] : []);

async function expand(pattern: string, cwd: string): Promise<readonly string[]> {
  const segments = pattern.split('/').filter((segment) => segment !== '' && segment !== '.');
  return walk(isAbsolute(pattern) ? '/' : '', segments, cwd);
}

async function walk(folder: string, segments: readonly string[], cwd: string): Promise<readonly string[]> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return [];
  if (segment === '**') {
    const here = await walk(folder, rest, cwd);
    const below = (await entries(folder, cwd)).filter((entry) => entry.isFolder && !entry.name.startsWith('.'));
    const deeper = await Promise.all(below.map(({ name }) => walk(join(folder, name), segments, cwd)));
    return [...here, ...deeper.flat()];
  }
  if (!/[*?]/.test(segment)) {
    const path = join(folder, segment);
    if (rest.length > 0) return walk(path, rest, cwd);
    return existsSync(resolve(cwd, path)) ? [path] : [];
  }
  const matches = (await entries(folder, cwd)).filter(
    ({ name, isFolder }) => matcher(segment).test(name) && isFolder === rest.length > 0,
  );
  if (rest.length === 0) return matches.map(({ name }) => join(folder, name));
  return (await Promise.all(matches.map(({ name }) => walk(join(folder, name), rest, cwd)))).flat();
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
  if (/[*?]/.test(part))
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
