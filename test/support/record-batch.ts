import { compressionsAlgorithms } from '@platformatic/kafka';

export interface BatchRecord {
  /** From the batch's base offset; its place in the list where absent. */
  readonly delta?: number;
  readonly key?: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string | Buffer, string | Buffer | null])[];
  /** After the batch's base, ms. */
  readonly time?: number;
}

export interface BatchShape {
  readonly base: number;
  readonly records: readonly BatchRecord[];
  /** Of the batch, which may be more than the last record's: compaction keeps it. */
  readonly lastDelta?: number;
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; any other leaves the records as they are. */
  readonly codec?: number;
  /** In the place of what `codec` makes of the records. */
  readonly body?: Buffer;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly producerId?: bigint;
  readonly magic?: number;
  /** The time that the records' own count from, ms. */
  readonly baseTime?: number;
  /** The time at which the broker took the batch, which is then that of its records, ms. */
  readonly appendTime?: number;
}

/** The bytes of one record batch of format 2. https://kafka.apache.org/documentation/#recordbatch */
export function recordBatch(shape: BatchShape): Buffer {
  const { base, records, codec = 0, transactional = false, control = false, producerId = -1n, magic = 2 } = shape;
  const { body = compressed(batchRecords(records), codec) } = shape;
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(BigInt(base), 0);
  head.writeInt32BE(49 + body.length, 8);
  head.writeInt8(magic, 16);
  head.writeInt16BE(
    codec | (shape.appendTime === undefined ? 0 : 0x08) | (transactional ? 0x10 : 0) | (control ? 0x20 : 0),
    21,
  );
  head.writeInt32BE(shape.lastDelta ?? records.at(-1)?.delta ?? records.length - 1, 23);
  head.writeBigInt64BE(BigInt(shape.baseTime ?? 0), 27);
  head.writeBigInt64BE(BigInt(shape.appendTime ?? shape.baseTime ?? 0), 35);
  head.writeBigInt64BE(producerId, 43);
  head.writeInt32BE(records.length, 57);
  return sealed(Buffer.concat([head, body]));
}

/** The records as they stand in a batch that is not compressed. */
export const batchRecords = (records: readonly BatchRecord[]): Buffer => Buffer.concat(records.map(record));

/** The batch with its checksum as its other bytes have it. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(castagnoli(batch.subarray(21)), 17);
  return batch;
}

function compressed(plain: Buffer, codec: number): Buffer {
  const name = (['gzip', 'snappy', 'lz4', 'zstd'] as const)[codec - 1];
  return name === undefined ? plain : compressionsAlgorithms[name].compressSync(plain);
}

const REMAINDERS = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0x82f63b78);
  return crc;
});

/** Byte by byte, so unlike the one that is tested. */
function castagnoli(bytes: Buffer): number {
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ (REMAINDERS[(crc ^ byte) & 255] ?? 0);
  return ~crc >>> 0;
}

/** A transaction's end: one record whose key says which. */
export function controlBatch(base: number, producerId: bigint, type: 'abort' | 'commit'): Buffer {
  const key = type === 'abort' ? '\0\0\0\0' : '\0\0\0\u0001';
  return recordBatch({ base, records: [{ key, value: '\0' }], control: true, transactional: true, producerId });
}

function record({ delta, key = null, value, headers = {}, time }: BatchRecord, index: number): Buffer {
  const entries = Array.isArray(headers)
    ? (headers as [string | Buffer, string | Buffer | null][])
    : Object.entries(headers as Record<string, string>);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(time ?? 1_000_000 + index),
    varint(delta ?? index),
    bytes(key),
    bytes(value),
    varint(entries.length),
    ...entries.flatMap(([name, text]) => [bytes(name), bytes(text)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function bytes(text: string | Buffer | null): Buffer {
  if (text === null) return varint(-1);
  const found = Buffer.from(text);
  return Buffer.concat([varint(found.length), found]);
}

/** Zigzag, so that small negative numbers are short too. */
const varint = (value: number): Buffer => uvarint((BigInt(value) << 1n) ^ (BigInt(value) >> 63n));

/** Seven bits a byte, the least first. */
export function uvarint(value: number | bigint): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...out, Number(rest)]);
}
