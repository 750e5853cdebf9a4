import type { Batch } from './read.ts';
import type { StructField } from './type.ts';

/**
 * The records of one chunk under examination: which are out and why, and how to read the others. Records are named by
 * their ordinal in the chunk.
 */
export interface Records {
  /** Records that are out, with the reason. */
  readonly rejected: ReadonlyMap<number, string>;
  reject(ordinal: number, reason: string): void;
  /** Judges every record left on what a verdict statement cannot tell; true if it found something. */
  examine(columns: readonly StructField[]): boolean;
  /** Makes numbers of these columns keep all their digits. */
  keepDigits(ordinals: readonly number[], columns: ReadonlySet<string>): void;
  /** How to read the records left, in order; undefined where there are none. */
  batch(): Promise<Batch | undefined>;
  /** The payloads of some records, as text, and the offsets by which dead letters name them. */
  describe(ordinals: readonly number[]): Promise<readonly { readonly payload: string; readonly offset: number }[]>;
}

const MAX_PAYLOAD = 65_536;

/** Bytes as a dead letter keeps them: invalid UTF-8 as U+FFFD, a long payload cut with a note. */
export function payloadText(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  if (bytes.byteLength <= MAX_PAYLOAD) return decoder.decode(bytes);
  let end = MAX_PAYLOAD;
  while (end > MAX_PAYLOAD - 4 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${decoder.decode(bytes.subarray(0, end))}… (cut: ${bytes.byteLength} bytes in all)`;
}
