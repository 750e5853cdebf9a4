import { StreamsqlError } from '../../base/errors.ts';
import { CODECS, Decompressor } from './codecs/decompress.ts';
import { TooLongError } from './codecs/output.ts';
import { crc32c } from './crc32c.ts';
import { addCsv, type CsvLayout } from './csv-lines.ts';
import { addFronted } from './fronted-lines.ts';
import { addKeyed, type KeyedLayout } from './keyed-lines.ts';
import type { LineFront } from './line-front.ts';
import type { PartitionLog } from './partition-log.ts';
import { isBlank, joinLines, TEXT_GROWTH, writeBlob, writeText } from './value.ts';

/**
 * How a record becomes a line: its value as it stands, JSON or CSV, as the text or the bytes of one column, or with its
 * key; `front` has metadata.
 */
export type Layout = (
  | { readonly format: 'json' }
  | { readonly format: 'raw'; readonly prefix: Buffer; readonly suffix: Buffer; readonly binary: boolean }
  | CsvLayout
  | KeyedLayout
) & { readonly front?: LineFront | undefined };

/** The layout of `format = 'raw'`: each value is the text of this column, or its bytes. */
export function rawLayout(column: string, binary = false): Layout {
  return { format: 'raw', prefix: Buffer.from(`{${JSON.stringify(column)}:"`), suffix: Buffer.from('"}'), binary };
}

// https://kafka.apache.org/documentation/#recordbatch
const LENGTH = 8;
const MAGIC = 16;
const CRC = 17;
/** From here on the checksum is of. */
const ATTRIBUTES = 21;
const LAST_OFFSET_DELTA = 23;
const PRODUCER_ID = 43;
const COUNT = 57;
const RECORDS = 61;
/** Of a batch's length field, which counts from after itself. */
const LENGTH_END = 12;
/** How far a log may have grown between the broker's looks at its end and at its records; nothing stands beyond. */
const GROWTH = 1_000_000;
const MOST = Number.MAX_SAFE_INTEGER;
/** Of a record: each of its seven fields takes a byte. */
const LEAST_BYTES = 7;
const LF = 10;

/** Bytes that do not match their checksum, or their place: fetched once more they may be whole. */
export class DamagedBatch extends StreamsqlError {}

/** Batches are read one after the other, so one serves all. */
const decompressor = new Decompressor();

/** The offset after the last whole batch in `buffer[start, end)`; undefined where there is none. Reads headers only. */
export function nextOffset(buffer: Buffer, start: number, end: number): number | undefined {
  let next: number | undefined;
  for (let at = start; at + RECORDS <= end;) {
    const batchEnd = at + LENGTH_END + buffer.readInt32BE(at + LENGTH);
    if (batchEnd > end || batchEnd < at + RECORDS) break;
    next = Math.max(next ?? 0, readInt64(buffer, at) + buffer.readInt32BE(at + LAST_OFFSET_DELTA) + 1);
    at = batchEnd;
  }
  return next;
}

/**
 * Appends the records of the batches in `buffer[start, end)` to the log, from `log.parsedTo` on and below `log.stop`.
 * A batch cut short at the end is left for the next fetch; control batches and aborted records are skipped.
 * Throws DamagedBatch before anything of that batch is appended, and a SOURCE error on what cannot be read at all.
 */
export function readBatches(buffer: Buffer, start: number, end: number, log: PartitionLog, layout: Layout): void {
  let due = 0;
  for (let at = start; at + CRC <= end;) {
    const base = readInt64(buffer, at);
    const magic = buffer[at + MAGIC]!;
    if (magic < 2) throw new StreamsqlError('SOURCE', `${log.name}: offset ${base} has message format ${magic}, not 2`);
    const batchEnd = at + LENGTH_END + buffer.readInt32BE(at + LENGTH);
    // The checksum is not of these.
    if (magic > 2 || batchEnd < at + RECORDS || base < due || base >= Math.min(log.logEnd + GROWTH, MOST)) {
      throw damaged(log, 'its header makes no sense');
    }
    if (log.stop !== undefined && base >= log.stop) return log.settle(log.stop);
    if (batchEnd > end) return;
    if (crc32c(buffer.subarray(at + ATTRIBUTES, batchEnd)) !== buffer.readUInt32BE(at + CRC)) {
      throw damaged(log, 'its checksum does not match');
    }
    const last = base + buffer.readInt32BE(at + LAST_OFFSET_DELTA);
    if (last < base) throw corrupt(log, base);
    if (last >= log.parsedTo) {
      readBatch(buffer, at, batchEnd, base, last, log, layout);
      log.settle(last + 1);
    }
    due = last + 1;
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
  const attributes = buffer.readInt16BE(at + ATTRIBUTES);
  const [codec, transactional, control] = [attributes & 7, (attributes & 0x10) !== 0, (attributes & 0x20) !== 0];
  log.aborted.reach(last);
  if (control) {
    if (isAbortMarker(buffer, at + RECORDS, end)) log.aborted.close(buffer.readBigInt64BE(at + PRODUCER_ID));
    return;
  }
  if (transactional && log.aborted.has(buffer.readBigInt64BE(at + PRODUCER_ID))) return;
  const count = buffer.readInt32BE(at + COUNT);
  if (count === 0 && at + RECORDS === end) return; // all that compaction left of it
  layout.front?.begin(buffer, at);
  if (codec === 0) return readRecords(buffer, at + RECORDS, end, base, last, count, log, layout);
  const records = decompress(codec, buffer.subarray(at + RECORDS, end), log, base);
  readRecords(records, 0, records.length, base, last, count, log, layout);
}

/** The key of a control record: a version, then 0 for abort, 1 for commit. */
function isAbortMarker(buffer: Buffer, at: number, end: number): boolean {
  let p = skipVarint(buffer, at) + 1; // length, attributes
  p = skipVarint(buffer, skipVarint(buffer, p)); // timestamp delta, offset delta
  p = skipVarint(buffer, p) + 2; // the key's length, its version
  return p + 2 <= end && buffer.readInt16BE(p) === 0;
}

/** The hot loop: nothing is allocated a record. */
function readRecords(
  buffer: Buffer,
  start: number,
  end: number,
  base: number,
  last: number,
  count: number,
  log: PartitionLog,
  layout: Layout,
): void {
  if (count < 0 || count * LEAST_BYTES > end - start) throw corrupt(log, base);
  const from = log.parsedTo;
  const stop = log.stop ?? Infinity;
  const json = layout.format === 'json';
  const keyed = layout.format === 'keyed';
  const { front } = layout;
  const segment = json && front === undefined ? log.room(end - start + count, count) : undefined;
  let due = base;
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
    if (offset < due || offset > last) throw corrupt(log, base);
    due = offset + 1;
    for (v = s = 0; (b = buffer[p++]!) >= 0x80; s += 7) v |= (b & 0x7f) << s;
    v |= b << s;
    const key = (v >>> 1) ^ -(v & 1);
    const keyAt = p;
    if (key > 0) p += key;
    for (v = s = 0; (b = buffer[p++]!) >= 0x80; s += 7) v |= (b & 0x7f) << s;
    v |= b << s;
    const length = (v >>> 1) ^ -(v & 1);
    const valueEnd = length > 0 ? p + length : p;
    if (valueEnd > end) throw corrupt(log, base);
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
    for (let headers = (v >>> 1) ^ -(v & 1); headers > 0 && p < end; headers--)
      p = skipBytes(buffer, skipBytes(buffer, p));
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
  if (layout.format === 'csv') return addCsv(buffer.subarray(start, end), offset, log, layout);
  if (layout.format !== 'raw') return;
  const { prefix, suffix, binary } = layout;
  const segment = log.room(prefix.length + suffix.length + 1 + TEXT_GROWTH * (end - start), 1);
  const textAt = segment.used + prefix.copy(segment.bytes, segment.used);
  const value = buffer.subarray(start, end);
  const textEnd = binary ? writeBlob(segment.bytes, textAt, value) : writeText(segment.bytes, textAt, value);
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

/** By codecs that a batch names in three bits. */
function decompress(codec: number, bytes: Buffer, log: PartitionLog, base: number): Buffer {
  const name = CODECS[codec];
  if (name === undefined || name === 'none')
    throw new StreamsqlError('SOURCE', `${log.name}: the batch at offset ${base} is compressed with codec ${codec}`, {
      hint: 'that is none that Kafka has had so far: gzip, snappy, lz4 and zstd can be read',
    });
  try {
    return decompressor.decompress(name, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = cause instanceof TooLongError ? 'is too large' : `is not valid ${name}`;
    throw new StreamsqlError('SOURCE', `${log.name}: the record batch at offset ${base} ${what}: ${reason}`, { cause });
  }
}

/** The offset is the one that was asked for, for what a damaged header says of it is not to be believed. */
export function damaged(log: PartitionLog, why: string): DamagedBatch {
  return new DamagedBatch('SOURCE', `${log.name}: the record batch at offset ${log.parsedTo} is damaged: ${why}`, {
    hint: "it came so from the broker several times: kafka-dump-log.sh on the broker's files tells whether it is stored so",
  });
}

/** It came as it was sent, by its checksum; whoever made it made it wrong. */
function corrupt(log: PartitionLog, offset: number): StreamsqlError {
  return new StreamsqlError('SOURCE', `${log.name}: the record batch at offset ${offset} is damaged`);
}
