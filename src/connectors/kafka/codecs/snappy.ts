import { copyLiterals, copyMatch, viewOf } from './copy.ts';
import type { Output } from './output.ts';

/** How snappy-java, and with it Kafka's own producers, begin a stream of blocks; others write one block alone. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER = 16;
/** Three bytes become at most 64. */
const LARGEST_RATIO = 22;

/** Snappy: https://github.com/google/snappy/blob/main/format_description.txt. Throws where the bytes are none. */
export function unSnappy(source: Buffer, out: Output): void {
  const view = viewOf(source);
  if (!source.subarray(0, XERIAL.length).equals(XERIAL)) return block(source, view, 0, source.length, out);
  for (let at = XERIAL_HEADER; at < source.length;) {
    if (at + 4 > source.length) throw new Error('a block is cut short');
    const start = at + 4;
    const end = start + source.readUInt32BE(at);
    if (end > source.length) throw new Error('a block is cut short');
    block(source, view, start, end, out);
    at = end;
  }
}

function block(source: Buffer, view: DataView, start: number, end: number, out: Output): void {
  let at = start;
  let length = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = source[at++];
    if (byte === undefined || at > end || factor > 2 ** 28) throw new Error('a block has no length');
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  if (length > (end - at) * LARGEST_RATIO) throw new Error('a block claims more than it can hold');
  out.reserve(length);
  if (!elements(source, view, at, end, out, length)) throw new Error('a block is damaged');
  out.used += length;
}

/** Writes what `source[at, end)` stands for, exactly so many bytes; false where it does not. */
function elements(source: Buffer, view: DataView, at: number, end: number, out: Output, length: number): boolean {
  const { bytes: target, view: targetView, used: start } = out;
  const limit = start + length;
  let p = at;
  let o = start;
  while (p < end) {
    const tag = source[p++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let literals = tag >>> 2;
      if (literals >= 60) {
        const bytes = literals - 59;
        literals = 0;
        for (let i = 0; i < bytes; i++) literals += source[p + i]! * 256 ** i;
        p += bytes;
      }
      literals++;
      if (!(p + literals <= end && o + literals <= limit)) return false;
      copyLiterals(source, view, p, end, target, targetView, o, literals);
      o += literals;
      p += literals;
      continue;
    }
    let copied = (tag >>> 2) + 1;
    let distance: number;
    if (kind === 1) {
      copied = ((tag >>> 2) & 7) + 4;
      distance = ((tag >>> 5) << 8) | source[p++]!;
    } else {
      distance = source[p]! | (source[p + 1]! << 8);
      if (kind === 3) distance += source[p + 2]! * 0x1_0000 + source[p + 3]! * 0x100_0000;
      p += kind === 3 ? 4 : 2;
    }
    if (!(p <= end && distance > 0 && distance <= o - start && o + copied <= limit)) return false;
    copyMatch(target, targetView, o, distance, copied);
    o += copied;
  }
  return o === limit;
}
