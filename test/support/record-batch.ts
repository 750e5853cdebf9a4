import { gzipSync } from 'node:zlib';

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
  /** 0 none, 1 gzip; any other leaves the records as they are. */
  readonly codec?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly producerId?: bigint;
  readonly magic?: number;
  /** The time that the records' own count from, ms. */
  readonly baseTime?: number;
  /** The time at which the broker took the batch, which is then that of its records, ms. */
  readonly appendTime?: number;
}

/** The bytes of one record batch of format 2, its checksum left 0. https://kafka.apache.org/documentation/#recordbatch */
export function recordBatch(shape: BatchShape): Buffer {
  const { base, records, codec = 0, transactional = false, control = false, producerId = -1n, magic = 2 } = shape;
  const plain = Buffer.concat(records.map(record));
  const body = codec === 1 ? gzipSync(plain) : plain;
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
  return Buffer.concat([head, body]);
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

/** Zigzag, seven bits a byte, the least first. */
function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...out, Number(rest)]);
}
