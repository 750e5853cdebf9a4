import { isUtf8 } from 'node:buffer';
import type { DeclaredMetadata } from '../../base/metadata.ts';
import { KAFKA_METADATA, MEMBER, TIMESTAMP_TYPE } from './metadata.ts';

/** Where the parts of a record stand in its batch's bytes. A length below 0 is that of null. */
export interface RecordParts {
  readonly timeAt: number;
  readonly keyAt: number;
  readonly keyLength: number;
  readonly valueAt: number;
  readonly valueLength: number;
  /** Of the batch's records. */
  readonly end: number;
}

// https://kafka.apache.org/documentation/#recordbatch
const ATTRIBUTES = 21;
const BASE_TIMESTAMP = 27;
const MAX_TIMESTAMP = 35;
const LOG_APPEND_TIME = 0x08;
/** Far beyond any TIMESTAMP, and well within what a double counts, ms. */
const LAST_TIME = 2 ** 52;
const NO_TIME = -1;

const [COMMA, ZERO, MINUS, QUOTE, BACKSLASH, COLON, OPEN, CLOSE] = [0x2c, 0x30, 0x2d, 0x22, 0x5c, 0x3a, 0x7b, 0x7d];

const INITIAL_BYTES = 256;
const NULL = Buffer.from('null');
/** So many headers, by four numbers each, are compared one with another. */
const FEW = 64;

/**
 * The metadata that lines begin with: `{"$t":1764000000000,"$k":"a",`, and then the record's own members. It is part of the
 * hot loop: for the usual record nothing is allocated.
 */
export class LineFront {
  /** What `write` has written last, `length` bytes of it. */
  buffer = Buffer.alloc(INITIAL_BYTES);
  length = 0;
  private readonly has: Readonly<Record<keyof typeof MEMBER, boolean>>;
  private readonly hasKey: boolean;
  private readonly hasHeaders: boolean;
  /** Beyond the time. */
  private readonly varies: boolean;
  /** What follows the time of a record that has neither a key nor headers: most have none. */
  private readonly bare: Buffer;
  /** Where the digits of the time begin. */
  private readonly digitsAt: number;
  private baseTime = 0;
  /** Of all records of the batch, where the broker stamped them. */
  private appendTime: number | undefined;
  /** What the buffer says already, up to `stampEnd`. */
  private time: number | undefined;
  private isAppendTime = false;
  private stampEnd = 0;
  /** Whether `bare` stands there. */
  private endsBare = false;
  /** Of the record's headers: where each name begins, its length, where its value begins, its length. */
  private headers = new Int32Array(FEW);
  private headersEnd = 0;

  private constructor(members: ReadonlySet<string>) {
    const has = {
      timestamp: members.has(MEMBER.timestamp),
      timestampType: members.has(MEMBER.timestampType),
      key: members.has(MEMBER.key),
      keyBytes: members.has(MEMBER.keyBytes),
      headers: members.has(MEMBER.headers),
      headerBytes: members.has(MEMBER.headerBytes),
    };
    this.has = has;
    this.hasKey = has.key || has.keyBytes;
    this.hasHeaders = has.headers || has.headerBytes;
    this.varies = this.hasKey || this.hasHeaders;
    this.bare = Buffer.from(
      (has.key ? `"${MEMBER.key}":null,` : '') +
        (has.keyBytes ? `"${MEMBER.keyBytes}":null,` : '') +
        (has.headers ? `"${MEMBER.headers}":{},` : '') +
        (has.headerBytes ? `"${MEMBER.headerBytes}":{},` : ''),
    );
    this.digitsAt = this.buffer.write(has.timestamp ? `{"${MEMBER.timestamp}":` : '{');
  }

  /** Undefined where lines need none of it. */
  static of(declared: readonly DeclaredMetadata[]): LineFront | undefined {
    const members = declared.flatMap(({ key, type }) => {
      const value = KAFKA_METADATA[key]?.value;
      return value?.kind === 'member' ? [value.of(type).name] : [];
    });
    return members.length === 0 ? undefined : new LineFront(new Set(members));
  }

  /** The records of a batch follow; its header is at `at`. */
  begin(bytes: Buffer, at: number): void {
    const stamped = (bytes.readInt16BE(at + ATTRIBUTES) & LOG_APPEND_TIME) !== 0;
    this.baseTime = readTime(bytes, at + BASE_TIMESTAMP);
    this.appendTime = stamped ? readTime(bytes, at + MAX_TIMESTAMP) : undefined;
  }

  /** Writes what a record's line begins with into `buffer`; or says why the record is a bad one. */
  write(bytes: Buffer, parts: RecordParts): string | undefined {
    const time = this.appendTime ?? this.baseTime + readVarint(bytes, parts.timeAt);
    const isAppendTime = this.appendTime !== undefined;
    if (time !== this.time || isAppendTime !== this.isAppendTime) {
      if (!(Math.abs(time) < LAST_TIME)) return 'its timestamp is out of range';
      this.stamp(time, isAppendTime);
    }
    if (!this.varies) this.length = this.stampEnd;
    else if (!this.isBare(bytes, parts)) return this.rest(bytes, parts);
    else {
      if (!this.endsBare) this.endBare();
      this.length = this.stampEnd + this.bare.length;
    }
    return undefined;
  }

  private stamp(time: number, isAppendTime: boolean): void {
    const { buffer, has } = this;
    let at = this.digitsAt;
    if (has.timestamp) {
      at = time === NO_TIME ? at + buffer.write('null', at) : writeNumber(buffer, at, time);
      buffer[at++] = COMMA;
    }
    if (has.timestampType) {
      const { none, create, append } = TIMESTAMP_TYPE;
      const type = time === NO_TIME ? none : isAppendTime ? append : create;
      at += buffer.write(`"${MEMBER.timestampType}":${type},`, at);
    }
    [this.time, this.isAppendTime, this.stampEnd, this.endsBare] = [time, isAppendTime, at, false];
  }

  /** Has neither a key nor headers, of what is declared. */
  private isBare(bytes: Buffer, { keyLength, valueAt, valueLength }: RecordParts): boolean {
    return (!this.hasKey || keyLength < 0) && (!this.hasHeaders || bytes[valueAt + Math.max(0, valueLength)] === 0);
  }

  private endBare(): void {
    this.length = this.stampEnd;
    this.add(this.bare);
    this.endsBare = true;
  }

  private rest(bytes: Buffer, parts: RecordParts): string | undefined {
    const { has } = this;
    const { keyAt, keyLength } = parts;
    this.length = this.stampEnd;
    this.endsBare = false;
    if (has.key) {
      this.add(KEY);
      if (!this.addText(bytes, keyAt, keyLength, COMMA)) return 'the key is not valid UTF-8';
    }
    if (has.keyBytes) {
      this.add(KEY_BYTES);
      this.addBase64(bytes, keyAt, keyLength);
    }
    if (!this.hasHeaders) return undefined;
    this.findHeaders(bytes, parts);
    const problem = has.headers ? this.addHeaders(bytes, HEADERS, true) : undefined;
    return problem ?? (has.headerBytes ? this.addHeaders(bytes, HEADER_BYTES, false) : undefined);
  }

  private findHeaders(bytes: Buffer, { valueAt, valueLength, end }: RecordParts): void {
    let { headers } = this;
    let at = valueAt + Math.max(0, valueLength);
    let left = readVarint(bytes, at);
    at = skipVarint(bytes, at);
    let n = 0;
    for (; left > 0 && at < end; left--) {
      if (n + 4 > headers.length) {
        headers = new Int32Array(4 * n);
        headers.set(this.headers);
        this.headers = headers;
      }
      for (let part = 0; part < 2; part++) {
        const length = readVarint(bytes, at);
        at = skipVarint(bytes, at);
        headers[n++] = at;
        headers[n++] = length < 0 ? -1 : Math.min(length, Math.max(0, end - at));
        at += Math.max(0, length);
      }
    }
    this.headersEnd = n;
  }

  private addHeaders(bytes: Buffer, member: Buffer, asText: boolean): string | undefined {
    const { headers, headersEnd } = this;
    const last = headersEnd > FEW ? this.lastByName(bytes) : undefined;
    this.add(member);
    this.addByte(OPEN);
    const from = this.length;
    for (let i = 0; i < headersEnd; i += 4) {
      const [nameAt = 0, nameLength = -1, at = 0, length = -1] = [headers[i], headers[i + 1], headers[i + 2], headers[i + 3]]; // prettier-ignore
      if (last === undefined ? this.isNamedAgain(bytes, i) : last.get(nameOf(bytes, nameAt, nameLength)) !== i)
        continue;
      if (nameLength < 0 || !this.addText(bytes, nameAt, nameLength, COLON)) return 'the name of a header is not valid UTF-8'; // prettier-ignore
      if (!asText) this.addBase64(bytes, at, length);
      else if (!this.addText(bytes, at, length, COMMA)) return 'a header is not valid UTF-8';
    }
    if (this.length > from) this.length--;
    this.addByte(CLOSE);
    this.addByte(COMMA);
    return undefined;
  }

  /** The last of a name counts. */
  private isNamedAgain(bytes: Buffer, header: number): boolean {
    const { headers, headersEnd } = this;
    const [at = 0, length = 0] = [headers[header], headers[header + 1]];
    for (let i = header + 4; i < headersEnd; i += 4) {
      if (headers[i + 1] !== length) continue;
      const other = headers[i] ?? 0;
      let same = 0;
      while (same < length && bytes[at + same] === bytes[other + same]) same++;
      if (same >= length) return true;
    }
    return false;
  }

  /** The same for many, which are not to be compared with each other. */
  private lastByName(bytes: Buffer): ReadonlyMap<string, number> {
    const { headers, headersEnd } = this;
    const last = new Map<string, number>();
    for (let i = 0; i < headersEnd; i += 4) last.set(nameOf(bytes, headers[i] ?? 0, headers[i + 1] ?? -1), i);
    return last;
  }

  /** A text as JSON, null where its length is below 0, and a byte after it; false where the bytes are no UTF-8. */
  private addText(bytes: Buffer, start: number, length: number, after: number): boolean {
    if (length < 0) {
      this.add(NULL);
      this.addByte(after);
      return true;
    }
    this.reserve(length + 3);
    const { buffer } = this;
    const end = start + length;
    let at = this.length;
    buffer[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) return this.addOdd(bytes.subarray(start, end), after); // prettier-ignore
      buffer[at++] = byte;
    }
    buffer[at++] = QUOTE;
    buffer[at++] = after;
    this.length = at;
    return true;
  }

  private addOdd(text: Buffer, after: number): boolean {
    if (!isUtf8(text)) return false;
    this.add(Buffer.from(JSON.stringify(text.toString())));
    this.addByte(after);
    return true;
  }

  /** With a comma after it. */
  private addBase64(bytes: Buffer, start: number, length: number): void {
    if (length < 0) this.add(NULL);
    else this.add(Buffer.from(`"${bytes.subarray(start, start + length).toString('base64')}"`));
    this.addByte(COMMA);
  }

  private add(bytes: Buffer): void {
    this.reserve(bytes.length);
    const { buffer, length } = this;
    for (let i = 0; i < bytes.length; i++) buffer[length + i] = bytes[i]!;
    this.length = length + bytes.length;
  }

  private addByte(byte: number): void {
    this.reserve(1);
    this.buffer[this.length++] = byte;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = Buffer.alloc(2 * (this.length + bytes));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}

/** No two names are one, nor is null any of them. */
const nameOf = (bytes: Buffer, at: number, length: number): string =>
  length < 0 ? '€' : bytes.toString('latin1', at, at + length);

const memberNamed = (name: string): Buffer => Buffer.from(`"${name}":`);
const KEY = memberNamed(MEMBER.key);
const KEY_BYTES = memberNamed(MEMBER.keyBytes);
const HEADERS = memberNamed(MEMBER.headers);
const HEADER_BYTES = memberNamed(MEMBER.headerBytes);

function skipVarint(bytes: Buffer, start: number): number {
  let at = start;
  while ((bytes[at++] ?? 0) >= 0x80);
  return at;
}

/** A zigzag number of up to 64 bits; beyond 2^53 about so. */
function readVarint(bytes: Buffer, start: number): number {
  let at = start;
  let value = 0;
  for (let unit = 1; ; unit *= 128) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 0x7f) * unit;
    if (byte < 0x80) break;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

const readTime = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);

/** Writes a whole number in decimal; where it ends. */
function writeNumber(buffer: Buffer, start: number, number: number): number {
  let at = start;
  if (number < 0) buffer[at++] = MINUS;
  const whole = Math.abs(number);
  const high = Math.floor(whole / 1e8);
  if (high > 0) at = writeDigits(buffer, at, high, 1);
  return writeDigits(buffer, at, whole - high * 1e8, high > 0 ? 8 : 1);
}

/** At least so many digits of a number below 2^31. */
function writeDigits(buffer: Buffer, start: number, number: number, least: number): number {
  let digits = least;
  for (let power = 10 ** least; power <= number; power *= 10) digits++;
  let rest = number | 0;
  for (let at = start + digits - 1; at >= start; at--) {
    const tenth = (rest / 10) | 0;
    buffer[at] = ZERO + rest - 10 * tenth;
    rest = tenth;
  }
  return start + digits;
}
