import { compressionsAlgorithms } from '@platformatic/kafka';
import { describe, expect, it } from 'vitest';
import { CODECS, Decompressor } from '../src/connectors/kafka/codecs/decompress.ts';
import { crc32c, crc32cOf } from '../src/connectors/kafka/crc32c.ts';
import { Random } from './fuzz/random.ts';

const decompressor = new Decompressor();

/** Repeats of what came before, near and far, short and long, between bytes that are new. */
function compressible(draw: Random, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size;) {
    const length = Math.min(size - at, draw.pick([1, 3, 4, 5, 17, 63, 64, 65, 300, 5000]));
    const distance = draw.pick([1, 2, 3, 4, 5, 7, 8, 60, 64, 70, 1000, 60_000]);
    for (let i = 0; i < length; i++, at++)
      bytes[at] = distance <= at && length !== 17 ? bytes[at - distance]! : draw.int(0, 255);
  }
  return bytes;
}

describe('the checksum of a record batch', () => {
  it('is the CRC-32 of Castagnoli, native or not', () => {
    expect(crc32cOf(Buffer.from('123456789'))).toBe(0xe3069283);
    const bytes = compressible(new Random(1), 100);
    for (let end = 0; end <= bytes.length; end++) {
      const part = bytes.subarray(end % 7, end);
      expect(crc32cOf(part)).toBe(crc32c(part));
    }
  });
});

describe.each(CODECS.filter((codec) => codec !== 'none'))('%s', (codec) => {
  it('gives back what was compressed', () => {
    const draw = new Random(2);
    for (const size of [0, 1, 5, 20, 100, 1000, 65_536, 65_537, 300_000, 1, 2_000_000, 10]) {
      const bytes = compressible(draw, size);
      const found = decompressor.decompress(codec, Buffer.from(compressionsAlgorithms[codec].compressSync(bytes)));
      expect(found.equals(bytes)).toBe(true);
    }
  });

  it('refuses what is cut short', () => {
    const whole = Buffer.from(compressionsAlgorithms[codec].compressSync(compressible(new Random(3), 500)));
    for (let end = 1; end < whole.length; end++)
      expect(() => decompressor.decompress(codec, whole.subarray(0, end))).toThrow();
  });
});

describe('lz4', () => {
  const block = (...bytes: number[]): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(bytes.length);
    return Buffer.concat([head, Buffer.from(bytes)]);
  };
  const END = Buffer.alloc(4);

  it('has frames with sizes, checksums, blocks that go back into each other, and such as are not compressed', () => {
    const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0b0101_1100, 0x40, 5, 0, 0, 0, 0, 0, 0, 0, 99]);
    const sum = Buffer.from([1, 2, 3, 4]);
    const plain = Buffer.from([2, 0, 0, 0x80, 0x79, 0x7a]);
    const frame = [head, block(0x10, 0x61), sum, block(0x11, 0x62, 2, 0, 0x10, 0x63), sum, plain, sum, END, sum];
    expect(decompressor.decompress('lz4', Buffer.concat(frame)).toString()).toBe('abababacyz');
  });

  it('refuses what goes back before its beginning, or grows beyond its block', () => {
    const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 99]);
    const tooFar = Buffer.concat([head, block(0x10, 0x61, 2, 0, 0x10, 0x62), END]);
    expect(() => decompressor.decompress('lz4', tooFar)).toThrow('a block is damaged');
    const long = Array.from({ length: 260 }, () => 255);
    const tooLong = Buffer.concat([head, block(0x1f, 0x61, 1, 0, ...long, 0, 0x10, 0x62), END]);
    expect(() => decompressor.decompress('lz4', tooLong)).toThrow('a block is damaged');
  });
});

describe('snappy', () => {
  it('comes in blocks as snappy-java writes them, and with every kind of copy', () => {
    const header = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    const literal = Array.from({ length: 70 }, (_, i) => 33 + i);
    const first = [70, 60 << 2, 69, ...literal]; // its length in one more byte
    const second = [5 + 4 + 3 + 2, 4 << 2, 97, 98, 99, 100, 101, 1, 5, (2 << 2) | 2, 2, 0, (1 << 2) | 3, 1, 0, 0, 0];
    const bytes = Buffer.from([...header, 0, 0, 0, first.length, ...first, 0, 0, 0, second.length, ...second]);
    const expected = `${String.fromCharCode(...literal)}abcde` + 'abcd' + 'cdc' + 'cc';
    expect(decompressor.decompress('snappy', bytes).toString()).toBe(expected);
  });
});
