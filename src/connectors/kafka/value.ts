import { isUtf8 } from 'node:buffer';

const LF = 10;
const CR = 13;
const SPACE = 32;

/** Only white space, or nothing: as a line of JSON it would be no record. */
export function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (!isSpace(bytes[i] ?? 0)) return false;
  return true;
}

/**
 * Makes one line of a JSON value that has line feeds, in place. Outside its strings they are white space and become
 * spaces; a raw one inside a string is no JSON. Returns the parser's message where the value is not JSON.
 */
export function joinLines(bytes: Buffer, start: number, end: number): string | undefined {
  let last = end;
  while (last > start && isSpace(bytes[last - 1] ?? 0)) last--;
  const first = bytes.indexOf(LF, start);
  if (first !== -1 && first < last) {
    try {
      JSON.parse(bytes.toString('utf8', start, end));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  for (let i = start; i < end; i++) if (bytes[i] === LF || bytes[i] === CR) bytes[i] = SPACE;
  return undefined;
}

/** The most bytes that a byte of text takes inside a JSON string: `\u0001`. */
export const TEXT_GROWTH = 6;

/**
 * Writes text as the inside of a JSON string at `at`; where it ends. Undefined where the bytes are not UTF-8.
 * The target has room for TEXT_GROWTH times the text.
 */
export function writeText(target: Buffer, at: number, text: Buffer): number | undefined {
  if (!isUtf8(text)) return undefined;
  let o = at;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? 0;
    if (c >= SPACE && c !== 0x22 && c !== 0x5c) target[o++] = c;
    else if (c >= SPACE) {
      target[o++] = 0x5c;
      target[o++] = c;
    } else o += target.write(`\\u00${c.toString(16).padStart(2, '0')}`, o, 'latin1');
  }
  return o;
}

const HEX = Buffer.from('0123456789ABCDEF');

/** Writes bytes as the inside of a JSON string that DuckDB casts to BLOB: `\\xAA` for all but plain characters. */
export function writeBlob(target: Buffer, at: number, bytes: Buffer): number {
  let o = at;
  for (const c of bytes) {
    if (c >= SPACE && c < 0x7f && c !== 0x22 && c !== 0x27 && c !== 0x5c) target[o++] = c;
    else {
      target[o++] = 0x5c;
      target[o++] = 0x5c;
      target[o++] = 0x78;
      target[o++] = HEX[c >> 4]!;
      target[o++] = HEX[c & 15]!;
    }
  }
  return o;
}

const isSpace = (c: number): boolean => c === SPACE || (c >= 9 && c <= CR);
