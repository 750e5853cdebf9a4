import { INTAKE } from '../../base/intake.ts';

/** Whole entries of an intake log. */
export interface Entries {
  readonly bytes: readonly Uint8Array[];
  /** Records in them, rejected ones too. */
  readonly records: number;
}

/** What is left of a record that is a dead letter before anyone reads it. */
export interface Rejection {
  readonly reason: string;
  readonly payload: Uint8Array;
}

const MOST_PAYLOAD = 1 << 16;
const REJECTED = Buffer.from([INTAKE.mark, INTAKE.rejected]);

export function rejectedEntry(reason: string, payload: Uint8Array): Buffer {
  const kept = Buffer.from(payload.subarray(0, MOST_PAYLOAD)).toString('base64');
  const text = Buffer.from(JSON.stringify({ reason, payload: kept })).toString('base64');
  return Buffer.concat([REJECTED, Buffer.from(`${text}\n`)]);
}

/** Of an entry that begins with a NUL byte: the rejection, or undefined where it is a frame. */
export function rejectionIn(entry: Buffer): Rejection | undefined {
  if (entry[1] !== INTAKE.rejected) return undefined;
  const text = Buffer.from(entry.toString('latin1', REJECTED.length).trimEnd(), 'base64').toString();
  const { reason, payload } = JSON.parse(text) as { readonly reason: string; readonly payload: string };
  return { reason, payload: Buffer.from(payload, 'base64') };
}

/** Why a record that is too long is a dead letter. */
export const tooLong = (most: number): string =>
  `the record is longer than ${most} bytes (max_record); its first ${Math.min(most, MOST_PAYLOAD)} are kept`;
