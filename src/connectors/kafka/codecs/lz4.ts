import { copyLiterals, copyMatch, SLACK, viewOf } from './copy.ts';
import type { Output } from './output.ts';

const MAGIC = 0x184d2204;
const BLOCK_BYTES: readonly (number | undefined)[] = [0, 0, 0, 0, 1 << 16, 1 << 18, 1 << 20, 1 << 22];
/** A byte of a block becomes at most so many. */
const LARGEST_RATIO = 255;

/**
 * Frames of LZ4: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md. Their checksums are not looked at, for a
 * record batch has its own. Throws where the bytes are no such frames.
 */
export function unLz4(source: Buffer, out: Output): void {
  const view = viewOf(source);
  for (let at = 0; at < source.length;) at = frame(source, view, at, out);
}

function frame(source: Buffer, view: DataView, start: number, out: Output): number {
  if (start + 7 > source.length || source.readUInt32LE(start) !== MAGIC)
    throw new Error('it does not begin as a frame');
  const flags = source[start + 4]!;
  const blockBytes = BLOCK_BYTES[(source[start + 5]! >> 4) & 7]!;
  if (flags >> 6 !== 1 || (flags & 1) !== 0 || blockBytes === 0) throw new Error('it is a frame of an unknown kind');
  const [hasBlockSums, hasSize, hasSum] = [(flags & 0x10) !== 0, (flags & 8) !== 0, (flags & 4) !== 0];
  let at = start + 7 + (hasSize ? 8 : 0);
  for (;;) {
    if (at + 4 > source.length) throw new Error('its end is missing');
    const head = source.readUInt32LE(at);
    at += 4;
    if (head === 0) break;
    const size = head & 0x7fff_ffff;
    const end = at + size;
    if (end > source.length) throw new Error('a block is cut short');
    if (head >>> 31 === 1) {
      out.reserve(size);
      out.used += source.copy(out.bytes, out.used, at, end);
    } else {
      out.reserve(Math.min(blockBytes, size * LARGEST_RATIO));
      if (!block(source, view, at, end, out, out.used + blockBytes)) throw new Error('a block is damaged');
    }
    at = end + (hasBlockSums ? 4 : 0);
  }
  return at + (hasSum ? 4 : 0);
}

/** Writes what `source[at, blockEnd)` stands for, at most up to `limit` in all; false where that cannot be. */
function block(source: Buffer, view: DataView, at: number, blockEnd: number, out: Output, limit: number): boolean {
  const { bytes: target, view: targetView } = out;
  const room = Math.min(limit, target.length - SLACK);
  let p = at;
  let o = out.used;
  while (p < blockEnd) {
    const token = source[p++]!;
    let literals = token >>> 4;
    let more: number;
    if (literals === 15) do literals += more = source[p++]!; while (more === 255); // prettier-ignore
    if (!(p + literals <= blockEnd && o + literals <= room)) return false;
    copyLiterals(source, view, p, blockEnd, target, targetView, o, literals);
    o += literals;
    p += literals;
    if (p === blockEnd) {
      out.used = o;
      return true;
    }
    const distance = source[p]! | (source[p + 1]! << 8);
    p += 2;
    let length = (token & 15) + 4;
    if (length === 19) do length += more = source[p++]!; while (more === 255); // prettier-ignore
    if (!(p <= blockEnd && distance > 0 && distance <= o && o + length <= room)) return false;
    copyMatch(target, targetView, o, distance, length);
    o += length;
  }
  return false;
}
