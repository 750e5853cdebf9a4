import { StreamsqlError } from '../../base/errors.ts';
import { cutBy, type Cut } from './cut.ts';
import type { FoundFile } from './glob.ts';

const LF = 10;
const SPACE = 32;
/** In place of a line feed within a string, where JSON has none: no more valid than that. */
const NO_JSON = 1;
const [QUOTE, COMMA, OPEN, BACKSLASH, CLOSE, OPEN_OBJECT, CLOSE_OBJECT] = [34, 44, 91, 92, 93, 123, 125];

/**
 * Cuts a file that is one JSON array into its elements, whatever they are: a record ends with the comma, or the bracket, after
 * it. Brackets are counted and strings passed over, so an element that is no JSON ends where it seems to.
 */
export class ArrayCutter {
  private readonly file: FoundFile;
  private place: 'before' | 'within' | 'after' = 'before';
  /** Bytes and, after each, what it becomes, so that the elements are lines, byte for byte where they were. */
  private edits: number[] = [];

  constructor(file: FoundFile) {
    this.file = file;
  }

  /** Goes on behind a record; false where none ends with this byte. */
  goOnAfter(byte: number): boolean {
    this.place = byte === COMMA ? 'within' : 'after';
    return byte === COMMA || byte === CLOSE || isSpace(byte);
  }

  /** Nothing but white space may follow. */
  get isClosed(): boolean {
    return this.place === 'after';
  }

  /**
   * The elements that are whole, of which it makes lines. `at`: where the bytes begin in the file. Throws SOURCE where the array
   * itself is broken.
   */
  cut(bytes: Buffer, at: number, most: number): Cut {
    this.edits = [];
    let { place } = this;
    let isEmpty = false;
    const endOf = (_: Buffer, start: number): number => {
      if (place === 'after') {
        const stray = skipSpace(bytes, start);
        if (stray < bytes.length) throw this.broken(at + stray, 'something follows the array');
        isEmpty = true;
        return bytes.length;
      }
      const found = this.element(bytes, start, at, place === 'before');
      if (found === undefined) return -1;
      isEmpty = found.isEmpty;
      place = bytes[found.end - 1] === CLOSE ? 'after' : 'within';
      return found.end;
    };
    const cut = cutBy(bytes, false, most, endOf, () => isEmpty);
    if (cut.end > 0) this.place = place;
    const { edits } = this;
    for (let i = 0; i < edits.length; i += 2) {
      const index = edits[i] ?? 0;
      if (index < cut.end) bytes[index] = edits[i + 1] ?? SPACE;
    }
    return cut;
  }

  /** The file ends here, and the array does not. */
  unended(at: number): StreamsqlError {
    return this.broken(at, 'the element that begins here, or the array, does not end');
  }

  private element(
    bytes: Buffer,
    start: number,
    at: number,
    isFirst: boolean,
  ): { readonly end: number; readonly isEmpty: boolean } | undefined {
    let from = skipSpace(bytes, start);
    if (isFirst) {
      if (from === bytes.length) return undefined;
      if (bytes[from] !== OPEN) throw this.broken(at + from, 'no array begins here');
      from = skipSpace(bytes, from + 1);
    }
    if (from === bytes.length) return undefined;
    const first = bytes[from];
    if (first === COMMA || (first === CLOSE && !isFirst)) throw this.broken(at + from, 'an element is missing');
    const end = this.endOfElement(bytes, from);
    if (end === -1) return undefined;
    // The line begins where the element does, which its dead letter names.
    for (let i = start; i < from; i++) this.edit(i, i === from - 1 ? LF : SPACE);
    this.edit(end - 1, LF);
    return { end, isEmpty: first === CLOSE };
  }

  private endOfElement(bytes: Buffer, from: number): number {
    let depth = 0;
    for (let i = from; i < bytes.length; i++) {
      const byte = bytes[i];
      if (byte === QUOTE) {
        i = this.endOfString(bytes, i);
        if (i === -1) return -1;
      } else if (byte === OPEN || byte === OPEN_OBJECT) depth++;
      else if (byte === CLOSE || byte === CLOSE_OBJECT) {
        if (depth === 0 && byte === CLOSE) return i + 1;
        depth = Math.max(0, depth - 1);
      } else if (byte === COMMA && depth === 0) return i + 1;
      else if (byte === LF) this.edit(i, SPACE);
    }
    return -1;
  }

  /** Where the closing quote is. */
  private endOfString(bytes: Buffer, open: number): number {
    for (let i = open + 1; i < bytes.length; i++) {
      const byte = bytes[i];
      if (byte === QUOTE) return i;
      if (byte === BACKSLASH) i++;
      else if (byte === LF) this.edit(i, NO_JSON);
    }
    return -1;
  }

  private edit(at: number, becomes: number): void {
    this.edits.push(at, becomes);
  }

  private broken(at: number, what: string): StreamsqlError {
    return new StreamsqlError('SOURCE', `${this.file.name} is no JSON array: at byte ${at} ${what}`, {
      hint: 'what is before that has been read; mend the file, or cut it there, and run again',
    });
  }
}

/** Whether the first of the bytes that is no white space begins an array. */
export function beginsArray(bytes: Uint8Array): boolean {
  return bytes[skipSpace(bytes, 0)] === OPEN;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isSpace(bytes[at] ?? 0)) at++;
  return at;
}

const isSpace = (byte: number): boolean => byte === SPACE || (byte >= 9 && byte <= 13);
