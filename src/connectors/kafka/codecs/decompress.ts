import { gunzipSync, zstdDecompressSync, type ZlibOptions, type ZstdOptions } from 'node:zlib';
import { unLz4 } from './lz4.ts';
import { LONGEST_OUTPUT, Output, TooLongError } from './output.ts';
import { unSnappy } from './snappy.ts';

/** By number, as record batches name them. */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type Codec = Exclude<(typeof CODECS)[number], 'none'>;

const LEAST_CHUNK = 1 << 14;
const LARGEST_CHUNK = 1 << 24;

/**
 * Decompresses batches one after the other; what it gives is valid until the next one. Node's own zlib has gzip and zstd;
 * LZ4 and Snappy are decoded here, because the decoders on npm either do not bound what they write or trap on bad input.
 */
export class Decompressor {
  private readonly out = new Output();
  /** What a zstd frame that does not tell its size will need, as the last ones did. */
  private expected = LEAST_CHUNK;

  /** Throws an error whose message says what is wrong; bounded in memory whatever the bytes are. */
  decompress(codec: Codec, bytes: Buffer): Buffer {
    switch (codec) {
      case 'gzip':
        return bounded(() => gunzipSync(bytes, options(gzipSize(bytes))));
      case 'zstd': {
        const found = bounded(() => zstdDecompressSync(bytes, options(zstdSize(bytes) ?? this.expected)));
        this.expected = Math.max(found.length, (7 * this.expected) >> 3);
        return found;
      }
      case 'lz4':
        this.out.reset();
        unLz4(bytes, this.out);
        return this.out.written;
      case 'snappy':
        this.out.reset();
        unSnappy(bytes, this.out);
        return this.out.written;
    }
  }
}

/** With one chunk for all of the output nothing has to be joined: half of the time. */
function options(expected: number): ZlibOptions & ZstdOptions {
  const chunkSize = Math.min(Math.max(expected + 64, LEAST_CHUNK), LARGEST_CHUNK);
  return { chunkSize, maxOutputLength: LONGEST_OUTPUT };
}

function bounded(run: () => Buffer): Buffer {
  try {
    return run();
  } catch (error) {
    if (error instanceof RangeError) throw new TooLongError();
    throw error;
  }
}

/** As the last four bytes of a gzip member tell. */
function gzipSize(bytes: Buffer): number {
  const told = bytes.length < 18 ? 0 : bytes.readUInt32LE(bytes.length - 4);
  return Math.min(told, 64 * bytes.length);
}

/** As a frame's header may tell: https://github.com/facebook/zstd/blob/dev/doc/zstd_compression_format.md */
function zstdSize(bytes: Buffer): number | undefined {
  if (bytes.length < 18) return undefined;
  const descriptor = bytes[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const told = [isSingle ? bytes[at]! : undefined, bytes.readUInt16LE(at) + 256, bytes.readUInt32LE(at), undefined];
  const size = told[descriptor >> 6];
  return size === undefined ? undefined : Math.min(size, 256 * bytes.length);
}
