import { open, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { beginsArray } from '../array.ts';

/** What is known of a file from outside. */
export interface FileStat {
  readonly inode: bigint;
  readonly size: number;
  readonly modified: bigint;
}

/** Undefined where it is not there, or is no file. */
export async function statOf(path: string): Promise<FileStat | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    return found.isFile() ? { inode: found.ino, size: Number(found.size), modified: found.mtimeNs } : undefined;
  } catch {
    return undefined;
  }
}

/** When something about a folder, or a file, was changed; undefined where it is not there. */
export async function modifiedOf(path: string): Promise<bigint | undefined> {
  try {
    return (await stat(path, { bigint: true })).mtimeNs;
  } catch {
    return undefined;
  }
}

/** A file as it is at one moment. */
export interface Glance {
  readonly seen: FileStat;
  /**
   * CRC-32 of the first lines, of at most `HEAD_BYTES`, which stay the same while it is only added to; undefined where there is too
   * little to be told by yet.
   */
  readonly crc: string | undefined;
  /** It is gzip, or an array, or Parquet, and was written as a whole. */
  readonly isWhole: boolean;
}

const HEAD_BYTES = 256;
const LF = 10;

/** How files are told apart by how they begin. */
export interface Heads {
  /** By so many lines: of CSV the header and one more. */
  readonly lines: number;
  /** They are not written to any more once they are there. */
  readonly areWhole: boolean;
  readonly mayBeGzip: boolean;
  readonly mayBeArray: boolean;
}

/** Undefined where there is no file that can be read. */
export async function glance(path: string, heads: Heads): Promise<Glance | undefined> {
  const found = await headOf(path);
  if (found === undefined) return undefined;
  const { head, seen } = found;
  const isGzip = heads.mayBeGzip && head[0] === 0x1f && head[1] === 0x8b;
  const isWhole = heads.areWhole || isGzip || (heads.mayBeArray && beginsArray(head));
  let end = 0;
  for (let i = 0; i < heads.lines && end !== -1; i++) end = head.indexOf(LF, end) + 1 || -1;
  const told = isWhole || (end === -1 && head.length === HEAD_BYTES) ? head.length : end;
  return { seen, crc: told <= 0 ? undefined : hex(head.subarray(0, told)), isWhole };
}

/** Stat and bytes of one and the same file, whatever is renamed meanwhile. */
async function headOf(path: string): Promise<{ readonly head: Buffer; readonly seen: FileStat } | undefined> {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    const handle = await open(path);
    try {
      const { ino, size, mtimeNs } = await handle.stat({ bigint: true });
      const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
      return { head: head.subarray(0, bytesRead), seen: { inode: ino, size: Number(size), modified: mtimeNs } };
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

const hex = (bytes: Uint8Array): string => crc32(bytes).toString(16).padStart(8, '0');

/** Which of the files that had, have or will have a name: the name of a partition, which finds it again under any other. */
export interface Identity {
  /** As it was called when it was first seen. */
  readonly name: string;
  /** In base 36. Not the device too: its number is another after some restarts. */
  readonly inode: string;
  readonly crc: string;
}

export const partitionName = ({ name, inode, crc }: Identity): string => `${name}#${inode}.${crc}`;

export function identityOf(partition: string): Identity | undefined {
  const [, name, inode, crc] = /^(.*)#([0-9a-z]+)\.([0-9a-f]{8}(?:-\d+)?)$/s.exec(partition) ?? [];
  return name === undefined || inode === undefined || crc === undefined ? undefined : { name, inode, crc };
}

/** Whether the partition is of a file that begins so. */
export const beginsAs = (partition: string, { crc }: Glance): boolean =>
  crc !== undefined && identityOf(partition)?.crc.replace(/-\d+$/, '') === crc;
