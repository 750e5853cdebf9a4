import { addKeyed, type KeyedLayout } from './keyed-lines.ts';
import type { LineFront, RecordParts } from './line-front.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Layout } from './record-batch.ts';
import { TEXT_GROWTH, writeBlob, writeText } from './value.ts';

/** So few bytes are copied sooner one by one. */
const SHORT = 32;
const [OPEN, QUOTE, LF] = [0x7b, 0x22, 10];
/** A value that is not as most are: put together piece by piece. */
const PIECES: KeyedLayout = { format: 'keyed', key: { kind: 'unread' } };

/** Appends a record with its metadata in front, in whatever layout. */
export function addFronted(
  bytes: Buffer,
  parts: RecordParts,
  offset: number,
  log: PartitionLog,
  layout: Layout,
  front: LineFront,
): void {
  const { valueAt, valueLength } = parts;
  const value = (): Buffer => bytes.subarray(valueAt, valueAt + valueLength);
  const problem = front.write(bytes, parts);
  if (problem !== undefined) return log.reject(offset, valueLength < 0 ? null : value(), problem);
  const { buffer, length } = front;
  if (layout.format === 'keyed') {
    const key = parts.keyLength < 0 ? undefined : bytes.subarray(parts.keyAt, parts.keyAt + parts.keyLength);
    return addKeyed(key, valueLength < 0 ? undefined : value(), offset, log, layout, buffer.subarray(0, length));
  }
  if (valueLength < 0) return log.reject(offset, null, 'null value');
  if (layout.format === 'raw') return addText(value(), buffer.subarray(0, length), offset, log, layout);
  if (bytes[valueAt] !== OPEN || bytes[valueAt + 1] !== QUOTE)
    return addKeyed(undefined, value(), offset, log, PIECES, buffer.subarray(0, length));
  const segment = log.room(length + valueLength, 1);
  const at = segment.used;
  const body = at + length;
  const lineEnd = body + valueLength - 1;
  const target = segment.bytes;
  if (length > SHORT) buffer.copy(target, at, 0, length);
  else for (let i = 0; i < length; i++) target[at + i] = buffer[i]!;
  bytes.copy(target, body, valueAt + 1, valueAt + valueLength);
  target[lineEnd] = LF;
  if (target.indexOf(LF, body) === lineEnd) segment.push(offset, lineEnd + 1);
  else addKeyed(undefined, value(), offset, log, PIECES, buffer.subarray(0, length));
}

function addText(
  text: Buffer,
  members: Buffer,
  offset: number,
  log: PartitionLog,
  { prefix, suffix, binary }: Layout & { readonly format: 'raw' },
): void {
  const segment = log.room(members.length + prefix.length + suffix.length + 1 + TEXT_GROWTH * text.length, 1);
  const { bytes, used } = segment;
  const keyAt = used + members.copy(bytes, used);
  // Both begin an object.
  const textAt = keyAt + prefix.copy(bytes, keyAt, 1);
  const textEnd = binary ? writeBlob(bytes, textAt, text) : writeText(bytes, textAt, text);
  if (textEnd === undefined) return log.reject(offset, text, 'not valid UTF-8');
  const lineEnd = textEnd + suffix.copy(bytes, textEnd);
  bytes[lineEnd] = LF;
  segment.push(offset, lineEnd + 1);
}
