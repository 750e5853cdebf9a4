import { Reader } from '@platformatic/kafka';
import { StreamsqlError } from '../../src/base/errors.ts';
import { crc32c } from '../../src/connectors/kafka/crc32c.ts';
import { FetchResponseParser } from '../../src/connectors/kafka/fetch-response.ts';
import { LineFront } from '../../src/connectors/kafka/line-front.ts';
import { PartitionLog } from '../../src/connectors/kafka/partition-log.ts';
import {
  DamagedBatch,
  nextOffset,
  rawLayout,
  readBatches,
  type Layout,
} from '../../src/connectors/kafka/record-batch.ts';
import { SegmentPool } from '../../src/connectors/kafka/segment.ts';
import { Random } from '../fuzz/random.ts';
import { fetchResponse } from './fetch-response.ts';
import { controlBatch, recordBatch, type BatchRecord } from './record-batch.ts';

/** A whole response, and what is to be read of it. */
interface Original {
  readonly bytes: Buffer;
  /** Of the batches of each partition. */
  readonly places: readonly (readonly [start: number, end: number])[];
  /** Where each batch begins, over all partitions. */
  readonly batches: readonly number[];
  /** What was committed, by partition and offset. */
  readonly committed: readonly ReadonlyMap<number, string>[];
  /** Every value that is in it, committed or not. */
  readonly values: ReadonlySet<string>;
}

const PARTITIONS = 2;
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);

/** Responses with all that batches may have: codecs, transactions, gaps, tombstones, headers, odd values. */
export function originals(): readonly Original[] {
  return Array.from({ length: 24 }, (_, i) => original(new Random(i)));
}

function original(draw: Random): Original {
  const committed = Array.from({ length: PARTITIONS }, () => new Map<number, string>());
  const values = new Set<string>();
  const parts = committed.map((kept, index) => {
    const aborted = draw.oneIn(2) ? [{ producerId: 1n, firstOffset: 0 }] : [];
    const batches: Buffer[] = [];
    let base = 0;
    for (let n = draw.int(2, 4); n > 0; n--) {
      const producerId = BigInt(draw.int(1, 2));
      const transactional = draw.oneIn(2);
      const isAborted = transactional && producerId === 1n && aborted.length > 0;
      const records: BatchRecord[] = [];
      let delta = 0;
      for (let r = draw.int(1, 6); r > 0; r--, delta += draw.int(1, 3)) {
        const value = draw.oneIn(8) ? null : `{"p":${index},"o":${base + delta},"x":"${'ab'.repeat(draw.int(0, 20))}"}`;
        records.push({
          delta,
          value,
          key: draw.oneIn(2) ? `k${delta}` : null,
          headers: draw.oneIn(3) ? { h: 'v' } : {},
        });
        if (value === null) continue;
        values.add(value);
        if (!isAborted) kept.set(base + delta, value);
      }
      batches.push(codedBatch(draw, { base, records, transactional, producerId, lastDelta: delta }));
      base += delta + 1;
    }
    if (aborted.length > 0) batches.push(controlBatch(base++, 1n, 'abort'));
    return { index, highWatermark: base, aborted, batches };
  });
  const { bytes, places } = fetchResponse(parts);
  const starts = parts.flatMap(({ batches }, i) => {
    let at = places[i]?.[0] ?? 0;
    return batches.map((batch) => (at += batch.length) - batch.length);
  });
  return { bytes, places, batches: starts, committed, values };
}

function codedBatch(draw: Random, shape: Parameters<typeof recordBatch>[0]): Buffer {
  const codec = draw.oneIn(2) ? 0 : draw.int(1, 4);
  if (codec !== 2 || draw.oneIn(2)) return recordBatch({ ...shape, codec });
  const raw = recordBatch({ ...shape, codec }).subarray(61);
  const length = Buffer.alloc(4);
  length.writeInt32BE(raw.length);
  return recordBatch({ ...shape, codec, body: Buffer.concat([XERIAL, length, raw]) });
}

/** Offsets in a batch of fields that the checksum is not of: base offset, length, leader epoch, format. */
const UNCHECKED = 17;
/** Of fields of 32 bits: length, checksum, last offset, count, the first records. */
const FIELDS = [4, 8, 17, 23, 57, 61, 65] as const;
const NUMBERS = [0, 1, -1, 48, 49, 50, 60, 61, 127, 128, 65_535, 2 ** 24, 2 ** 31 - 1, -(2 ** 31)] as const;

type Kind = 'within batches' | 'anywhere' | 'behind the checksum';

interface Mutant {
  readonly kind: Kind;
  readonly bytes: Buffer;
  /** Whether only bytes that a checksum is of were changed, and so every record is where it was. */
  readonly placed: boolean;
}

function mutant(from: Original, draw: Random): Mutant {
  const kind = draw.pick(['within batches', 'anywhere', 'behind the checksum'] as const);
  let bytes = Buffer.from(from.bytes);
  const anyPlace = draw.pick(from.places);
  const [start, end] = kind === 'anywhere' ? [0, bytes.length] : anyPlace;
  let placed = kind !== 'anywhere';
  const touch = (at: number): number => {
    if (from.batches.some((batch) => at >= batch && at < batch + UNCHECKED)) placed = false;
    return at;
  };
  for (let n = draw.int(1, 3); n > 0; n--) {
    const at = draw.int(start, end - 1);
    switch (draw.int(1, 8)) {
      case 1:
      case 2:
        bytes[touch(at)]! ^= 1 << draw.int(0, 7);
        break;
      case 3:
        bytes[touch(at)] = draw.pick([0, 1, 0x7f, 0x80, 0xff]);
        break;
      case 4: {
        const field = draw.pick(from.batches) + draw.pick(FIELDS);
        if (field + 4 > bytes.length) break;
        touch(field);
        bytes.writeInt32BE(draw.pick(NUMBERS), field);
        break;
      }
      case 5: {
        const [one, other] = [draw.pick(from.batches), draw.pick(from.batches)];
        const length = Math.min(draw.int(1, 200), bytes.length - Math.max(one, other));
        const copy = Buffer.from(bytes.subarray(one, one + length));
        bytes.copy(bytes, one, other, other + length);
        copy.copy(bytes, other);
        placed = false;
        break;
      }
      case 6:
        bytes.copy(bytes, at, draw.int(start, end - 1), Math.min(end, at + draw.int(1, 40)));
        placed = false;
        break;
      case 7:
        bytes.fill(draw.pick([0, 0xff, 0x80]), at, Math.min(end, at + draw.int(1, 20)));
        placed = false;
        break;
      default:
        if (kind === 'anywhere') bytes = bytes.subarray(0, draw.int(1, bytes.length));
    }
    if (bytes.length < from.bytes.length) break;
  }
  if (kind === 'behind the checksum') for (const at of from.batches) reseal(bytes, at);
  return { kind, bytes, placed };
}

function reseal(bytes: Buffer, at: number): void {
  if (at + 61 > bytes.length) return;
  const end = at + 12 + bytes.readInt32BE(at + 8);
  if (end >= at + 61 && end <= bytes.length) bytes.writeUInt32BE(crc32c(bytes.subarray(at + 21, end)), at + 17);
}

const ALL_METADATA = ['timestamp', 'timestamp-type', 'key', 'headers'].map((key) => ({
  name: key,
  key,
  type: 'VARCHAR',
  span: { start: 0, end: 0 },
}));

const LAYOUTS: readonly Layout[] = [
  { format: 'json' },
  { format: 'json' },
  { format: 'json' },
  rawLayout('line'),
  rawLayout('bytes', true),
  { format: 'csv', dialect: { delimiter: ',', quote: '"', escape: '"', nullText: '', header: ['a'] } },
  { format: 'keyed', key: { kind: 'any' } },
  { format: 'json', front: LineFront.of(ALL_METADATA) },
  { ...rawLayout('line'), front: LineFront.of(ALL_METADATA) },
];

/** What became of the mutants. */
export interface Tally {
  whole: number;
  shorter: number;
  damaged: number;
  refused: number;
}

const pool = new SegmentPool();
const parser = new FetchResponseParser();

/** One mutated response, read as a fetcher reads it. Throws where it must not be read so. */
export function tryOne(all: readonly Original[], seed: number, tally: Tally): void {
  const draw = new Random(seed);
  const from = draw.pick(all);
  const { kind, bytes, placed } = mutant(from, draw);
  const layout = draw.pick(LAYOUTS);
  const logs = from.committed.map((_, index) => {
    const start = draw.oneIn(4) ? draw.int(1, 8) : 0;
    return new PartitionLog('t', index, start, draw.oneIn(4) ? draw.int(start, 12) : undefined, pool);
  });
  let failure: unknown;
  try {
    const response = parser.parse(0, 1, 17, readerOf(bytes, draw));
    for (const part of response.partitions) {
      const log = logs[part.index];
      if (log === undefined || part.error !== 0) continue;
      nextOffset(response.bytes, part.start, part.end);
      log.logEnd = part.highWatermark;
      log.aborted.announce(part.aborted);
      readBatches(response.bytes, part.start, part.end, log, layout);
    }
  } catch (error) {
    failure = error;
    if (!(error instanceof StreamsqlError) || error.code !== 'SOURCE') throw error;
  }
  const isSettled = failure === undefined || failure instanceof DamagedBatch || kind !== 'behind the checksum';
  let [read, wanted] = [0, 0];
  for (const [index, log] of logs.entries()) {
    const { records, runs, pieces, from: first, to, emptied } = log.take(1e9);
    const lines = Buffer.concat(pieces).toString().split('\n').slice(0, -1);
    if (isSettled && (lines.length !== records || to < first))
      throw new Error(`${records} records in ${lines.length} lines`);
    if (layout.format === 'json' && layout.front === undefined && kind !== 'behind the checksum') {
      const offsets = runs.flatMap((run) => Array.from({ length: run.count }, (_, i) => run.first + i));
      for (const [i, line] of lines.entries()) {
        const isRight = placed ? from.committed[index]?.get(offsets[i] ?? -1) === line : from.values.has(line);
        if (!isRight) throw new Error(`at ${index}/${offsets[i]} stands ${line}`);
      }
    }
    read += records;
    wanted += from.committed[index]?.size ?? 0;
    for (const segment of emptied) pool.release(segment);
  }
  if (failure instanceof DamagedBatch) tally.damaged++;
  else if (failure !== undefined) tally.refused++;
  else if (read < wanted) tally.shorter++;
  else tally.whole++;
}

/** As it comes from the socket: in one piece or in several. */
function readerOf(bytes: Buffer, draw: Random): Reader {
  const reader = Reader.from(bytes);
  if (draw.oneIn(2) || bytes.length < 3) return reader;
  const cut = draw.int(1, bytes.length - 1);
  reader.buffer.buffers = [bytes.subarray(0, cut), bytes.subarray(cut)];
  return reader;
}
