import { gzipSync } from 'node:zlib';
import { crc32c } from '@platformatic/kafka';

/** What becomes a record; undefined is null. */
export interface OutRecord {
  readonly key: Buffer | undefined;
  readonly value: Buffer | undefined;
}

export type Compression = 'none' | 'gzip';

/** Who writes a batch, and which of its records in the partition is the first: so the broker knows a batch that comes twice. */
export interface Stamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly sequence: number;
  readonly transactional: boolean;
}

// https://kafka.apache.org/documentation/#recordbatch
const HEADER = 61;
/** Of a batch's length field, which counts from after itself. */
const LENGTH_END = 12;
const CHECKSUM = 17;
const ATTRIBUTES = 21;
const TRANSACTIONAL = 0x10;
const GZIP = 1;
const FIRST_BYTES = 16 << 10;
/** The most that a record takes beside its key and its value: five lengths, its attributes, its times. */
const RECORD_OVERHEAD = 32;

/** The records of one partition, encoded: what is stamped and sent. */
export interface Batch {
  readonly partition: number;
  readonly records: readonly OutRecord[];
  readonly bytes: Buffer;
}

/** Gathers the records of one batch of one partition, up to so many bytes. */
export class BatchBuilder {
  readonly partition: number;
  private readonly records: OutRecord[] = [];
  private readonly limit: number;
  private bytes = Buffer.allocUnsafe(FIRST_BYTES);
  private length = HEADER;

  constructor(partition: number, limit: number) {
    this.partition = partition;
    this.limit = limit;
  }

  /** False where it has no room; the first record always has. */
  add(record: OutRecord): boolean {
    const keyLength = record.key?.length ?? 0;
    const valueLength = record.value?.length ?? 0;
    const most = RECORD_OVERHEAD + keyLength + valueLength;
    if (this.records.length > 0 && this.length + most > this.limit) return false;
    this.reserve(most);
    const body =
      3 + // attributes, time and the number of headers
      varintLength(this.records.length) +
      (record.key === undefined ? 1 : varintLength(keyLength) + keyLength) +
      (record.value === undefined ? 1 : varintLength(valueLength) + valueLength);
    const { bytes } = this;
    let at = writeVarint(bytes, this.length, body);
    bytes[at++] = 0;
    bytes[at++] = 0;
    at = writeVarint(bytes, at, this.records.length);
    at = writeVarint(bytes, at, record.key === undefined ? -1 : keyLength);
    if (record.key !== undefined) at += record.key.copy(bytes, at);
    at = writeVarint(bytes, at, record.value === undefined ? -1 : valueLength);
    if (record.value !== undefined) at += record.value.copy(bytes, at);
    bytes[at++] = 0;
    this.length = at;
    this.records.push(record);
    return true;
  }

  /** At least one record was added. */
  build(compression: Compression, timestamp: number): Batch {
    const bytes = this.encoded(compression);
    bytes.fill(0, 0, HEADER);
    bytes.writeInt32BE(bytes.length - LENGTH_END, 8);
    bytes.writeInt32BE(-1, 12); // the leader's epoch
    bytes[16] = 2; // the format
    bytes.writeInt16BE(compression === 'gzip' ? GZIP : 0, ATTRIBUTES);
    bytes.writeInt32BE(this.records.length - 1, 23);
    bytes.writeBigInt64BE(BigInt(timestamp), 27);
    bytes.writeBigInt64BE(BigInt(timestamp), 35);
    bytes.writeInt32BE(this.records.length, 57);
    return { partition: this.partition, records: this.records, bytes };
  }

  private encoded(compression: Compression): Buffer {
    if (compression === 'none') return this.bytes.subarray(0, this.length);
    return Buffer.concat([Buffer.alloc(HEADER), gzipSync(this.bytes.subarray(HEADER, this.length))]);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.length + more));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

/** Writes who sends it, and the checksum, into the batch's own bytes. */
export function stamp({ bytes }: Batch, { producerId, producerEpoch, sequence, transactional }: Stamp): void {
  const codec = bytes.readInt16BE(ATTRIBUTES) & 7;
  bytes.writeInt16BE(codec | (transactional ? TRANSACTIONAL : 0), ATTRIBUTES);
  bytes.writeBigInt64BE(producerId, 43);
  bytes.writeInt16BE(producerEpoch, 51);
  bytes.writeInt32BE(sequence, 53);
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES)), CHECKSUM);
}

/** Zigzag: lengths and places, and -1. */
const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

function varintLength(value: number): number {
  let length = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest /= 128) length++;
  return length;
}

function writeVarint(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = zigzag(value);
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
  bytes[at++] = rest;
  return at;
}
