import { gunzipSync } from 'node:zlib';
import { StreamsqlError } from '../../base/errors.ts';
import { addFronted } from './fronted-lines.ts';
import { addKeyed, type KeyedLayout } from './keyed-lines.ts';
import type { LineFront } from './line-front.ts';
import type { PartitionLog } from './partition-log.ts';
import { isBlank, joinLines, TEXT_GROWTH, writeText } from './value.ts';

/** How a record becomes a line of JSON: its value as it stands, as the text of one column, or with its key; `front` has metadata. */
export type Layout = (
  | { readonly format: 'json' }
  | { readonly format: 'raw'; readonly prefix: Buffer; readonly suffix: Buffer }
  | KeyedLayout
) & { readonly front?: LineFront | undefined };

/** The layout of `format = 'raw'`: each value is the text of this column. */
export function rawLayout(column: string): Layout {
  return { format: 'raw', prefix: Buffer.from(`{${JSON.stringify(column)}:"`), suffix: Buffer.from('"}') };
}

// https://kafka.apache.org/documentation/#recordbatch
const LENGTH = 8;
const MAGIC = 16;
const ATTRIBUTES = 21;
const LAST_OFFSET_DELTA = 23;
const PRODUCER_ID = 43;
const COUNT = 57;
const RECORDS = 61;
/** Of a batch's length field, which counts from after itself. */
const LENGTH_END = 12;
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const LF = 10;

/** The offset after the last whole batch in `buffer[start, end)`; undefined where there is none. Reads headers only. */
export function nextOffset(buffer: Buffer, start: number, end: number): number | undefined {
  let next: number | undefined;
  for (let at = start; at + RECORDS <= end;) {
    const batchEnd = at + LENGTH_END + buffer.readInt32BE(at + LENGTH);
    if (batchEnd > end || batchEnd < at + RECORDS) break;
    next = readInt64(buffer, at) + buffer.readInt32BE(at + LAST_OFFSET_DELTA) + 1;
    at = batchEnd;
  }
  return next;
}

/**
 * Appends the records of the batches in `buffer[start, end)` to the log, from `log.parsedTo` on and below `log.stop`.
 * A batch cut short at the end is left for the next fetch; control batches and aborted records are skipped.
 * Throws a SOURCE error on bytes that are no batches, or in a codec that is not read.
 */
export function readBatches(buffer: Buffer, start: number, end: number, log: PartitionLog, layout: Layout): void {
  for (let at = start; at + RECORDS <= end;) {
    const base = readInt64(buffer, at);
    if (log.stop !== undefined && base >= log.stop) return log.settle(log.stop);
    const batchEnd = at + LENGTH_END + buffer.readInt32BE(at + LENGTH);
    if (batchEnd > end) return;
    if (batchEnd < at + RECORDS) throw corrupt(log, base);
    const last = base + buffer.readInt32BE(at + LAST_OFFSET_DELTA);
    if (last >= log.parsedTo) {
      readBatch(buffer, at, batchEnd, base, last, log, layout);
      log.settle(last + 1);
    }
    at = batchEnd;
  }
}

function readBatch(
  buffer: Buffer,
  at: number,
  end: number,
  base: number,
  last: number,
  log: PartitionLog,
  layout: Layout,
): void {
  const magic = buffer[at + MAGIC];
  if (magic !== 2) throw new StreamsqlError('SOURCE', `${log.name}: offset ${base} has message format ${magic}, not 2`);
  const attributes = buffer.readInt16BE(at + ATTRIBUTES);
  const [codec, transactional, control] = [attributes & 7, (attributes & 0x10) !== 0, (attributes & 0x20) !== 0];
  log.aborted.reach(last);
  if (control) {
    if (isAbortMarker(buffer, at + RECORDS)) log.aborted.close(buffer.readBigInt64BE(at + PRODUCER_ID));
    return;
  }
  if (transactional && log.aborted.has(buffer.readBigInt64BE(at + PRODUCER_ID))) return;
  const count = buffer.readInt32BE(at + COUNT);
  layout.front?.begin(buffer, at);
  if (codec === 0) return readRecords(buffer, at + RECORDS, end, base, count, log, layout);
  if (codec !== 1) throw unreadable(log, base, codec);
  const records = unzip(buffer.subarray(at + RECORDS, end), log, base);
  readRecords(records, 0, records.length, base, count, log, layout);
}

/** The key of a control record: a version, then 0 for abort, 1 for commit. */
function isAbortMarker(buffer: Buffer, at: number): boolean {
  let p = skipVarint(buffer, at) + 1; // length, attributes
  p = skipVarint(buffer, skipVarint(buffer, p)); // timestamp delta, offset delta
  return buffer.readInt16BE(skipVarint(buffer, p) + 2) === 0; // the key's length, its version
}

/** The hot loop: nothing is allocated a record. */
function readRecords(
  buffer: Buffer,
  start: number,
  end: number,
  base: number,
  count: number,
  log: PartitionLog,
  layout: Layout,
): void {
  const from = log.parsedTo;
  const stop = log.stop ?? Infinity;
  const json = layout.format === 'json';
  const keyed = layout.format === 'keyed';
  const { front } = layout;
  const segment = json && front === undefined ? log.room(end - start + count, count) : undefined;
  let p = start;
  let v: number;
  let s: number;
  let b: number;
  for (let i = 0; i < count && p < end; i++) {
    while (buffer[p++]! >= 0x80); // length
    const timeAt = ++p; // after the attributes
    while (buffer[p++]! >= 0x80); // timestamp delta
    for (v = s = 0; (b = buffer[p++]!) >= 0x80; s += 7) v |= (b & 0x7f) << s;
    v |= b << s;
    const offset = base + ((v >>> 1) ^ -(v & 1));
    for (v = s = 0; (b = buffer[p++]!) >= 0x80; s += 7) v |= (b & 0x7f) << s;
    v |= b << s;
    const key = (v >>> 1) ^ -(v & 1);
    const keyAt = p;
    if (key > 0) p += key;
    for (v = s = 0; (b = buffer[p++]!) >= 0x80; s += 7) v |= (b & 0x7f) << s;
    v |= b << s;
    const length = (v >>> 1) ^ -(v & 1);
    const valueEnd = length > 0 ? p + length : p;
    if (valueEnd > end) throw corrupt(log, offset);
    if (offset >= from && offset < stop) {
      if (front !== undefined) {
        const parts = { timeAt, keyAt, keyLength: key, valueAt: p, valueLength: length, end };
        addFronted(buffer, parts, offset, log, layout, front);
      } else if (keyed) {
        const keyBytes = key < 0 ? undefined : buffer.subarray(keyAt, keyAt + key);
        addKeyed(keyBytes, length < 0 ? undefined : buffer.subarray(p, valueEnd), offset, log, layout);
      } else if (length < 0) log.reject(offset, null, 'null value');
      else if (segment === undefined) addText(buffer, p, valueEnd, offset, log, layout);
      else if (length === 0) log.reject(offset, EMPTY, 'empty value');
      else {
        const at = segment.used;
        const lineEnd = at + length;
        buffer.copy(segment.bytes, at, p, valueEnd);
        segment.bytes[lineEnd] = LF;
        // One native search a record tells both a line feed inside and, by the first byte, a blank line.
        if (segment.bytes.indexOf(LF, at) === lineEnd && buffer[p]! > 32) segment.push(offset, lineEnd + 1);
        else addOdd(segment.bytes, at, lineEnd, offset, log, segment);
      }
    }
    p = valueEnd;
    for (v = s = 0; (b = buffer[p++]!) >= 0x80; s += 7) v |= (b & 0x7f) << s;
    v |= b << s;
    for (let headers = (v >>> 1) ^ -(v & 1); headers > 0; headers--) p = skipBytes(buffer, skipBytes(buffer, p));
  }
  if (p !== end) throw corrupt(log, base);
}

/** A value that is blank or has line feeds; it stands in the segment's bytes already. */
function addOdd(
  bytes: Buffer,
  at: number,
  end: number,
  offset: number,
  log: PartitionLog,
  segment: { push(offset: number, end: number): void },
): void {
  if (isBlank(bytes, at, end)) return log.reject(offset, bytes.subarray(at, end), 'blank value');
  const problem = joinLines(bytes, at, end);
  if (problem === undefined) segment.push(offset, end + 1);
  else log.reject(offset, bytes.subarray(at, end), `malformed JSON: ${problem}`);
}

function addText(buffer: Buffer, start: number, end: number, offset: number, log: PartitionLog, layout: Layout): void {
  if (layout.format !== 'raw') return;
  const { prefix, suffix } = layout;
  const segment = log.room(prefix.length + suffix.length + 1 + TEXT_GROWTH * (end - start), 1);
  const textAt = segment.used + prefix.copy(segment.bytes, segment.used);
  const textEnd = writeText(segment.bytes, textAt, buffer.subarray(start, end));
  if (textEnd === undefined) return log.reject(offset, buffer.subarray(start, end), 'not valid UTF-8');
  const lineEnd = textEnd + suffix.copy(segment.bytes, textEnd);
  segment.bytes[lineEnd] = LF;
  segment.push(offset, lineEnd + 1);
}

const EMPTY = new Uint8Array();

/** Offsets are far below 2^53. */
function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
}

function skipVarint(buffer: Buffer, at: number): number {
  let p = at;
  while (buffer[p++]! >= 0x80);
  return p;
}

/** Skips a varint length and so many bytes; a length of -1 is null. */
function skipBytes(buffer: Buffer, at: number): number {
  let p = at;
  let v = 0;
  let s = 0;
  let b: number;
  for (; (b = buffer[p++]!) >= 0x80; s += 7) v |= (b & 0x7f) << s;
  v |= b << s;
  const length = (v >>> 1) ^ -(v & 1);
  return length > 0 ? p + length : p;
}

function unzip(bytes: Buffer, log: PartitionLog, base: number): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new StreamsqlError('SOURCE', `${log.name}: the record batch at offset ${base} is not valid gzip`, { cause });
  }
}

function corrupt(log: PartitionLog, offset: number): StreamsqlError {
  return new StreamsqlError('SOURCE', `${log.name}: the record batch at offset ${offset} is damaged`);
}

function unreadable(log: PartitionLog, base: number, codec: number): StreamsqlError {
  const name = CODECS[codec] ?? `codec ${codec}`;
  return new StreamsqlError('SOURCE', `${log.name}: the batch at offset ${base} is compressed with ${name}`, {
    hint: "uncompressed and gzip batches can be read: set the producers' compression.type to gzip or none",
  });
}
