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

/** How a file begins, which stays the same while it is only added to. */
export interface Beginning {
  /** CRC-32 of the first lines, of at most `HEAD_BYTES`. */
  readonly crc: string;
  /** It is gzip, or an array, and was written as a whole. */
  readonly isWhole: boolean;
}

const HEAD_BYTES = 256;
const LF = 10;

/** What `beginningOf` has to know of the files. */
export interface Heads {
  /** So many lines tell files apart: of CSV the header and one more. */
  readonly lines: number;
  /** They are not written to any more once they are there. */
  readonly areWhole: boolean;
  readonly mayBeGzip: boolean;
  readonly mayBeArray: boolean;
}

/** Undefined where there is no file, or one too short to be told by yet: without the lines, and of less than `HEAD_BYTES`. */
export async function beginningOf(path: string, heads: Heads): Promise<Beginning | undefined> {
  const head = await headOf(path);
  if (head === undefined) return undefined;
  const isGzip = heads.mayBeGzip && head[0] === 0x1f && head[1] === 0x8b;
  const isWhole = heads.areWhole || isGzip || (heads.mayBeArray && beginsArray(head));
  let end = 0;
  for (let i = 0; i < heads.lines && end !== -1; i++) end = head.indexOf(LF, end) + 1 || -1;
  const told = isWhole || (end === -1 && head.length === HEAD_BYTES) ? head.length : end;
  return told <= 0 ? undefined : { crc: hex(head.subarray(0, told)), isWhole };
}

async function headOf(path: string): Promise<Buffer | undefined> {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    const handle = await open(path);
    try {
      return head.subarray(0, (await handle.read(head, 0, HEAD_BYTES, 0)).bytesRead);
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
export const beginsAs = (partition: string, { crc }: Beginning): boolean =>
  identityOf(partition)?.crc.replace(/-\d+$/, '') === crc;
