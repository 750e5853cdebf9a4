import type { Reader } from '@platformatic/kafka';
import { StreamsqlError } from '../../base/errors.ts';
import type { AbortedTransaction } from './aborted.ts';

/** A partition's part of a fetch response; its batches are `bytes[start, end)` of the response. */
export interface FetchedPartition {
  /** The topic's id, 32 digits. */
  readonly topicId: string;
  readonly index: number;
  readonly error: number;
  readonly highWatermark: number;
  readonly lastStable: number;
  readonly logStart: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly start: number;
  readonly end: number;
}

export interface FetchResponse {
  readonly throttleMs: number;
  readonly error: number;
  readonly partitions: readonly FetchedPartition[];
  /** Holds the batches until the next response is parsed. */
  readonly bytes: Buffer;
}

/**
 * Parses Fetch v13 to v17 responses. The response comes as the socket's many small buffers; they are
 * joined in one buffer that is used again, because a fresh one of 16 MB costs more in page faults than the copy.
 */
export class FetchResponseParser {
  private joined = Buffer.alloc(0);

  /** Throws a SOURCE error where the bytes are no such response. */
  readonly parse = (_correlation: number, _key: number, _version: number, reader: Reader): FetchResponse => {
    const bytes = this.join(reader.buffer.buffers, reader.length);
    try {
      return readResponse(new Cursor(bytes, reader.position), bytes);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new StreamsqlError('SOURCE', "the broker's answer to a fetch is damaged: it ends too early", { cause });
    }
  };

  private join(buffers: readonly Buffer[], length: number): Buffer {
    const only = buffers[0];
    if (only !== undefined && buffers.length === 1) return only;
    if (this.joined.length < length) this.joined = Buffer.allocUnsafeSlow(Math.ceil(length * 1.25));
    let at = 0;
    for (const buffer of buffers) at += buffer.copy(this.joined, at);
    return this.joined.subarray(0, at);
  }
}

function readResponse(cursor: Cursor, bytes: Buffer): FetchResponse {
  const throttleMs = cursor.int32();
  const error = cursor.int16();
  cursor.skip(4); // session id
  const partitions: FetchedPartition[] = [];
  for (let topics = cursor.uvarint() - 1; topics > 0; topics--) {
    const topicId = cursor.hex(16);
    for (let n = cursor.uvarint() - 1; n > 0; n--) partitions.push(readPartition(cursor, topicId));
    cursor.tags();
  }
  return { throttleMs, error, partitions, bytes };
}

function readPartition(cursor: Cursor, topicId: string): FetchedPartition {
  const index = cursor.int32();
  const error = cursor.int16();
  const highWatermark = cursor.int64();
  const lastStable = cursor.int64();
  const logStart = cursor.int64();
  const aborted: AbortedTransaction[] = [];
  for (let n = cursor.uvarint() - 1; n > 0; n--) {
    aborted.push({ producerId: cursor.bigint64(), firstOffset: cursor.int64() });
    cursor.tags();
  }
  cursor.skip(4); // preferred read replica
  const size = Math.max(0, cursor.uvarint() - 1);
  const start = cursor.position;
  cursor.skip(size);
  cursor.tags();
  return { topicId, index, error, highWatermark, lastStable, logStart, aborted, start, end: start + size };
}

class Cursor {
  position: number;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer, position: number) {
    this.bytes = bytes;
    this.position = position;
  }

  skip(length: number): void {
    this.position += length;
  }

  hex(length: number): string {
    this.position += length;
    return this.bytes.toString('hex', this.position - length, this.position);
  }

  int16(): number {
    this.position += 2;
    return this.bytes.readInt16BE(this.position - 2);
  }

  int32(): number {
    this.position += 4;
    return this.bytes.readInt32BE(this.position - 4);
  }

  bigint64(): bigint {
    this.position += 8;
    return this.bytes.readBigInt64BE(this.position - 8);
  }

  int64(): number {
    return Number(this.bigint64());
  }

  uvarint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes.readUInt8(this.position++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  tags(): void {
    for (let n = this.uvarint(); n > 0; n--) {
      this.uvarint();
      const size = this.uvarint();
      this.skip(size);
    }
  }
}
