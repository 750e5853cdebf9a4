import { crc32 } from 'node:zlib';
import { INTAKE } from '../../base/intake.ts';
import type { DiskFile } from '../checkpoint/disk.ts';

/** `NUL F`, then in hexadecimal the length and the records of what follows and its CRC-32, and a line feed. */
const LENGTH = 27;
const LF = 10;
const FRONT = Buffer.from([INTAKE.mark, INTAKE.frame]);

/**
 * What is written between two syncs: its frame first, so that after an outage all of it counts or none. The next one is written
 * only when it is there for good, so before a whole frame all is whole, or was damaged since.
 */
export function framed(bytes: readonly Uint8Array[], records: number): readonly Uint8Array[] {
  let [length, crc] = [0, 0];
  for (const piece of bytes) {
    length += piece.length;
    crc = crc32(piece, crc);
  }
  const hex = (value: number): string => value.toString(16).padStart(8, '0');
  return [FRONT, Buffer.from(`${hex(length)}${hex(records)}${hex(crc)}\n`), ...bytes];
}

/** How far a file holds whole frames, from `start` on, and how many records are in them. */
export async function wholeFrames(file: DiskFile, start: number): Promise<{ readonly end: number; readonly records: number }> {
  const head = Buffer.alloc(LENGTH);
  let [end, records] = [start, 0];
  while ((await file.read(end, head)) === LENGTH) {
    const frame = parsed(head);
    if (frame === undefined || end + LENGTH + frame.length > file.size) break;
    const body = Buffer.alloc(frame.length);
    if ((await file.read(end + LENGTH, body)) < frame.length || crc32(body) !== frame.crc) break;
    end += LENGTH + frame.length;
    records += frame.records;
  }
  return { end, records };
} // prettier-ignore

/** What a file has after its last whole frame. */
export type Tail =
  /** The beginning of another one, as of a process that was killed. */
  | 'torn'
  /** What may have been written before an outage of the machine, and was not there for good. */
  | 'unclear'
  /** It was there for good once: a whole frame follows. */
  | 'damaged';

export async function tailOf(file: DiskFile, end: number): Promise<Tail> {
  const tail = Buffer.alloc(file.size - end);
  await file.read(end, tail);
  for (let at = tail.indexOf(FRONT, 1); at !== -1; at = tail.indexOf(FRONT, at + 1)) if (isWhole(tail, at)) return 'damaged';
  const frame = parsed(tail.subarray(0, LENGTH));
  return tail.length < LENGTH || (frame !== undefined && tail.length < LENGTH + frame.length) ? 'torn' : 'unclear';
} // prettier-ignore

function isWhole(bytes: Buffer, at: number): boolean {
  const frame = parsed(bytes.subarray(at, at + LENGTH));
  const body = at + LENGTH;
  return frame !== undefined && body + frame.length <= bytes.length && crc32(bytes.subarray(body, body + frame.length)) === frame.crc;
} // prettier-ignore

function parsed(head: Buffer): { readonly length: number; readonly records: number; readonly crc: number } | undefined {
  if (head[0] !== INTAKE.mark || head[1] !== INTAKE.frame || head[LENGTH - 1] !== LF) return undefined;
  const fields = /^([\da-f]{8})([\da-f]{8})([\da-f]{8})$/.exec(head.toString('latin1', 2, LENGTH - 1));
  if (fields === null) return undefined;
  const [length = 0, records = 0, crc = 0] = fields.slice(1).map((field) => Number.parseInt(field, 16));
  return { length, records, crc };
}
