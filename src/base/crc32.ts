/** CRC-32 of a stretch of bytes (zlib's, as in gzip), and how many they are. */
export interface Check {
  readonly crc: number;
  readonly bytes: number;
}

/** The check of no bytes: of any other and this one it makes the other. */
export const NO_BYTES: Check = { crc: 0, bytes: 0 };

/** The check of the bytes of `a` with those of `b` after them. */
export function joinChecks(a: Check, b: Check): Check {
  return { crc: combineCrc(a.crc, b.crc, b.bytes), bytes: a.bytes + b.bytes };
}

/**
 * The CRC-32 of two stretches, one after the other, from theirs: a · x^(8 · bytesOfB) + b over GF(2), modulo the CRC's
 * polynomial. As zlib's crc32_combine: https://github.com/madler/zlib/blob/develop/crc32.c
 */
export function combineCrc(a: number, b: number, bytesOfB: number): number {
  return (multiply(powerOfX(bytesOfB, 3), a) ^ b) >>> 0;
}

/** The polynomial, and all here, with the coefficient of x^0 in the highest bit. */
const POLYNOMIAL = 0xedb88320;
const ONE = 1 << 31;

/** Of two polynomials, modulo the CRC's. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= shifted;
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ POLYNOMIAL;
  }
  return product;
}

/** x^(2^n) for n from 0; the powers come round after 32 of them. */
const SQUARES: readonly number[] = squares();

function squares(): number[] {
  const all = [ONE >>> 1];
  for (let last = ONE >>> 1; all.length < 32;) all.push((last = multiply(last, last)));
  return all;
}

/** x^(count · 2^log). `count` is a safe integer. */
function powerOfX(count: number, log: number): number {
  let power = ONE;
  for (let left = count, n = log; left > 0; left = Math.floor(left / 2), n++)
    if (left % 2 === 1) power = multiply(SQUARES[n % 32] ?? ONE, power);
  return power;
}
