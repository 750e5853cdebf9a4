import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combineCrc, joinChecks, NO_BYTES } from '../src/base/crc32.ts';
import { checkOf } from '../src/connectors/check.ts';

test('of two stretches as of the two in one', () => {
  const bytes = fc.uint8Array({ maxLength: 3000 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(combineCrc(crc32(a), crc32(b), b.length)).toBe(crc32(Buffer.concat([a, b])));
    }),
  );
});

test('the same whatever the cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.array(fc.nat(500)), (bytes, cuts) => {
      const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const parts = places.slice(1).map((to, i) => checkOf(bytes.subarray(places[i], to)));
      expect(parts.reduce(joinChecks, NO_BYTES)).toEqual(checkOf(bytes));
    }),
  );
});

test('over more bytes than 32 bits count', () => {
  const mebi = checkOf(Buffer.alloc(1 << 20));
  const doubled = (times: number): typeof mebi =>
    Array.from({ length: times }).reduce<typeof mebi>((check) => joinChecks(check, check), mebi);
  let one = NO_BYTES;
  for (let i = 0; i < 5 * 1024; i++) one = joinChecks(one, mebi);
  expect(one).toEqual(joinChecks(doubled(12), doubled(10)));
  expect(one.bytes).toBe(5 * 2 ** 30);
});
