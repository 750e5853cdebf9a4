import { createRequire } from 'node:module';

type Crc32c = (bytes: Buffer) => number;

/** The CRC-32 of Castagnoli, as record batches have it. The native one takes a tenth of the time, where it is installed. */
export const crc32c: Crc32c = native() ?? crc32cOf;

function native(): Crc32c | undefined {
  try {
    return (createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Crc32c }).crc32c;
  } catch {
    return undefined; // There are platforms that it was not built for.
  }
}

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;
const TABLES = tables();

/** Entry i of table n: what byte i does to the checksum when n more bytes come after it. */
function tables(): Int32Array {
  const all = new Int32Array(256 * SLICES);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    all[i] = crc;
  }
  for (let i = 256; i < all.length; i++) all[i] = (all[i - 256]! >>> 8) ^ all[all[i - 256]! & 255]!;
  return all;
}

/** In plain JavaScript, eight bytes at a time. */
export function crc32cOf(bytes: Buffer): number {
  const t = TABLES;
  let crc = -1;
  let p = 0;
  for (const last = bytes.length - SLICES; p <= last; p += SLICES) {
    crc ^= bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
    crc =
      t[1792 + (crc & 255)]! ^
      t[1536 + ((crc >>> 8) & 255)]! ^
      t[1280 + ((crc >>> 16) & 255)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[p + 4]!]! ^
      t[512 + bytes[p + 5]!]! ^
      t[256 + bytes[p + 6]!]! ^
      t[bytes[p + 7]!]!;
  }
  for (; p < bytes.length; p++) crc = t[(crc ^ bytes[p]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
