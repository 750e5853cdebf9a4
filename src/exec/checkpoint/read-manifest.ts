import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { isAbsolute, join as joinPath, normalize, sep } from 'node:path';
import { crc32 } from 'node:zlib';
import { MANIFEST_FORMAT, type FileReference, type Manifest } from './manifest.ts';

/** What is wrong with a file of a state folder. `what` says it after the file's name: `is cut off`. */
export interface Damage {
  readonly kind: 'missing' | 'unreadable' | 'truncated' | 'size' | 'checksum' | 'format' | 'invalid';
  /** From the state folder. */
  readonly path: string;
  readonly what: string;
}

export type ManifestRead =
  { readonly manifest: Manifest; readonly damage?: never } | { readonly damage: Damage; readonly manifest?: never };

const CHECKPOINTS = 'checkpoints';

/** Where the manifest of an epoch's checkpoint lies, from the state folder. */
export const manifestPath = (epoch: number): string => `${CHECKPOINTS}/${epoch}.json`;

/** A manifest as its file holds it: a line of JSON, and one with the CRC-32 of that line, without its line feed, in hex. */
export function manifestText(manifest: Manifest): string {
  const line = JSON.stringify(manifest);
  return `${line}\n${hex(crc32(line))}\n`;
}

/** The epochs of the checkpoints in a state folder, the newest first; whether they are whole is not looked at. */
export function listCheckpoints(folder: string): readonly number[] {
  const path = joinPath(folder, CHECKPOINTS);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .flatMap((name) => /^(-1|0|[1-9]\d*)\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/** The manifest of an epoch's checkpoint, or why there is none to go by. The files that it names are not looked at. */
export function readManifest(folder: string, epoch: number): ManifestRead {
  const path = manifestPath(epoch);
  const damaged = (kind: Damage['kind'], what: string): ManifestRead => ({ damage: { kind, path, what } });
  let bytes: Buffer;
  try {
    bytes = readFileSync(joinPath(folder, path));
  } catch (error) {
    return { damage: unread(path, error) };
  }
  const end = bytes.indexOf('\n');
  const check = end === -1 ? '' : bytes.subarray(end + 1).toString('latin1');
  if (check.length < CHECK_LENGTH) return damaged('truncated', 'is cut off');
  const line = bytes.subarray(0, end);
  if (check !== `${hex(crc32(line))}\n`) return damaged('checksum', 'has another checksum than it was written with');
  const manifest = parsed(line.toString('utf8'));
  if (manifest === undefined) return damaged('invalid', 'is no manifest');
  if (manifest.format !== MANIFEST_FORMAT) {
    const other = `has the format ${manifest.format} of streamsql ${manifest.streamsql}`;
    return damaged('format', `${other}, this one reads ${MANIFEST_FORMAT}`);
  }
  if (manifest.epoch !== epoch) return damaged('invalid', `is that of the epoch ${manifest.epoch}`);
  return { manifest };
}

function parsed(line: string): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'format' in value ? (value as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

/** The files that a manifest names: of the state, and of retained records. */
export const namedFiles = (manifest: Manifest): readonly FileReference[] => [
  ...filesOf(manifest),
  ...(manifest.retained ?? []).flatMap(({ files }) => files),
];

/** The files of the state. */
export function filesOf(manifest: Manifest): readonly FileReference[] {
  const files = manifest.operators
    .flatMap(({ tables }) => tables)
    .flatMap(({ segments }) => segments)
    .flatMap(({ file, gone }) => [file, gone])
    .filter((file) => file !== undefined);
  return [...new Map(files.map((file) => [file.path, file])).values()];
}

/** Files that were looked at already, with what was found: several checkpoints name the same ones. */
export type Verified = Map<string, Damage | undefined>;

/** Reads the files of a manifest's state from end to end; the manifest, or what is wrong with the first that is not as it was written. */
export function verifyFiles(manifest: Manifest, folder: string, verified: Verified = new Map()): ManifestRead {
  for (const file of filesOf(manifest)) {
    const as = `${file.path} ${file.bytes} ${file.crc32}`;
    const damage = verified.has(as) ? verified.get(as) : verifyFile(file, folder);
    verified.set(as, damage);
    if (damage !== undefined) return { damage };
  }
  return { manifest };
}

/** What is wrong with a file, if anything is. */
export function verifyFile(file: FileReference, folder: string): Damage | undefined {
  const { path } = file;
  if (isAbsolute(path) || normalize(path).split(sep).includes('..')) {
    return { kind: 'invalid', path, what: 'is not in the state folder' };
  }
  try {
    const full = joinPath(folder, path);
    const { size } = statSync(full);
    if (size !== file.bytes) return { kind: 'size', path, what: `has ${size} bytes, not ${file.bytes}` };
    if (fileCrc(full) === file.crc32) return undefined;
    return { kind: 'checksum', path, what: 'has another checksum than it was written with' };
  } catch (error) {
    return unread(path, error);
  }
}

/** The CRC-32 of what a file holds, as manifests have it. */
export function fileCrc(path: string): number {
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(1 << 20);
    let crc = 0;
    for (;;) {
      const bytes = readSync(descriptor, buffer);
      if (bytes === 0) return crc;
      crc = crc32(buffer.subarray(0, bytes), crc);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** What is wrong, as one sentence for people. */
export const damageText = ({ path, what }: Damage): string => `${path} ${what}`;

function unread(path: string, error: unknown): Damage {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return { kind: 'missing', path, what: 'is missing' };
  const message = error instanceof Error ? error.message : String(error);
  return { kind: 'unreadable', path, what: `cannot be read: ${message}` };
}

const CHECK_LENGTH = 9;

const hex = (crc: number): string => crc.toString(16).padStart(8, '0');
