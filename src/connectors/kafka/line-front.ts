import { isUtf8 } from 'node:buffer';
import type { DeclaredMetadata } from '../../base/metadata.ts';
import { KAFKA_METADATA, MEMBER } from './metadata.ts';

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

const [COMMA, ZERO, MINUS] = [0x2c, 0x30, 0x2d];

/** The metadata that lines begin with: `{"$t":1764000000000,"$k":"a",`, and then the record's own members. */
export class LineFront {
  private readonly members: ReadonlySet<string>;
  private readonly varies: boolean;
  private baseTime = 0;
  /** Of all records of the batch, where the broker stamped them. */
  private appendTime: number | undefined;
  private readonly buffer = Buffer.alloc(128);
  /** Where the digits of the time begin in the buffer. */
  private readonly digitsAt: number = 0;
  /** What the buffer says. */
  private time: number | undefined;
  private isAppendTime = false;
  private length = 0;

  private constructor(members: ReadonlySet<string>) {
    this.members = members;
    this.varies = [MEMBER.key, MEMBER.keyBytes, MEMBER.headers, MEMBER.headerBytes].some((name) => members.has(name));
    this.digitsAt = this.buffer.write(members.has(MEMBER.timestamp) ? `{"${MEMBER.timestamp}":` : '{');
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

  /** Good until the next; or why the record is a bad one. */
  of(bytes: Buffer, parts: RecordParts): Buffer | string {
    const time = this.appendTime ?? this.baseTime + readVarint(bytes, parts.timeAt);
    const isAppendTime = this.appendTime !== undefined;
    if (time !== this.time || isAppendTime !== this.isAppendTime) {
      if (!(Math.abs(time) < LAST_TIME)) return 'its timestamp is out of range';
      this.stamp(time, isAppendTime);
    }
    const stamp = this.buffer.subarray(0, this.length);
    if (!this.varies) return stamp;
    const rest = this.rest(bytes, parts);
    return typeof rest === 'string' ? rest : Buffer.concat([stamp, rest]);
  }

  private stamp(time: number, isAppendTime: boolean): void {
    const { buffer, members } = this;
    let at = this.digitsAt;
    if (members.has(MEMBER.timestamp)) {
      at = time === NO_TIME ? at + buffer.write('null', at) : writeNumber(buffer, at, time);
      buffer[at++] = COMMA;
    }
    if (members.has(MEMBER.timestampType)) {
      const type = time === NO_TIME ? 'NoTimestampType' : isAppendTime ? 'LogAppendTime' : 'CreateTime';
      at += buffer.write(`"${MEMBER.timestampType}":"${type}",`, at);
    }
    [this.time, this.isAppendTime, this.length] = [time, isAppendTime, at];
  }

  private rest(bytes: Buffer, parts: RecordParts): Buffer | string {
    const { members } = this;
    const found: string[] = [];
    const { keyAt, keyLength } = parts;
    const key = keyLength < 0 ? undefined : bytes.subarray(keyAt, keyAt + keyLength);
    if (members.has(MEMBER.key)) {
      const text = quoted(key);
      if (text === undefined) return 'the key is not valid UTF-8';
      found.push(`"${MEMBER.key}":${text},`);
    }
    if (members.has(MEMBER.keyBytes)) found.push(`"${MEMBER.keyBytes}":${encoded(key)},`);
    if (members.has(MEMBER.headers) || members.has(MEMBER.headerBytes)) {
      const headers = headersOf(bytes, parts);
      if (typeof headers === 'string') return headers;
      for (const [name, show] of HEADER_MEMBERS) {
        if (!members.has(name)) continue;
        const shown = [...headers].map(([header, value]) => [JSON.stringify(header), show(value)] as const);
        if (shown.some(([, value]) => value === undefined)) return 'a header is not valid UTF-8';
        found.push(`"${name}":{${shown.map(([header, value]) => `${header}:${value ?? ''}`).join(',')}},`);
      }
    }
    return Buffer.from(found.join(''));
  }
}

/** JSON of a text; undefined where the bytes are none. */
function quoted(bytes: Buffer | undefined): string | undefined {
  if (bytes === undefined) return 'null';
  return isUtf8(bytes) ? JSON.stringify(bytes.toString()) : undefined;
}

const encoded = (bytes: Buffer | undefined): string => (bytes === undefined ? 'null' : `"${bytes.toString('base64')}"`);

const HEADER_MEMBERS = [
  [MEMBER.headers, quoted],
  [MEMBER.headerBytes, encoded],
] as const;

/** The last of each name; a null value is undefined. */
function headersOf(
  bytes: Buffer,
  { valueAt, valueLength, end }: RecordParts,
): Map<string, Buffer | undefined> | string {
  const headers = new Map<string, Buffer | undefined>();
  let at = valueAt + Math.max(0, valueLength);
  const number = (): number => {
    const found = readVarint(bytes, at);
    while ((bytes[at++] ?? 0) >= 0x80);
    return found;
  };
  const part = (): Buffer | undefined => {
    const length = number();
    const found = length < 0 ? undefined : bytes.subarray(at, Math.min(at + length, end));
    at += Math.max(0, length);
    return found;
  };
  for (let left = number(); left > 0 && at < end; left--) {
    const [name, value] = [part(), part()];
    if (name === undefined || !isUtf8(name)) return 'the name of a header is not valid UTF-8';
    headers.set(name.toString(), value);
  }
  return headers;
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
