import type { AbortedTransaction } from '../../src/connectors/kafka/aborted.ts';
import { uvarint } from './record-batch.ts';

/** A partition's part of a response, its batches whole. */
export interface ResponsePart {
  readonly index: number;
  readonly error?: number;
  readonly highWatermark: number;
  readonly aborted?: readonly AbortedTransaction[];
  readonly batches: readonly Buffer[];
}

/** The bytes of a Fetch v13 to v17 response about one topic; `places` are where each part's batches begin and end. */
export function fetchResponse(parts: readonly ResponsePart[]): {
  readonly bytes: Buffer;
  readonly places: readonly (readonly [start: number, end: number])[];
} {
  const places: [number, number][] = [];
  const pieces: Buffer[] = [Buffer.alloc(10), uvarint(2), Buffer.alloc(16, 7), uvarint(parts.length + 1)];
  for (const { index, error = 0, highWatermark, aborted = [], batches } of parts) {
    const head = Buffer.alloc(30);
    head.writeInt32BE(index, 0);
    head.writeInt16BE(error, 4);
    head.writeBigInt64BE(BigInt(highWatermark), 6);
    head.writeBigInt64BE(BigInt(highWatermark), 14);
    pieces.push(head, uvarint(aborted.length + 1));
    for (const { producerId, firstOffset } of aborted) {
      const entry = Buffer.alloc(17);
      entry.writeBigInt64BE(producerId, 0);
      entry.writeBigInt64BE(BigInt(firstOffset), 8);
      pieces.push(entry);
    }
    const bytes = Buffer.concat(batches);
    pieces.push(Buffer.alloc(4, 255), uvarint(bytes.length + 1));
    const start = pieces.reduce((sum, piece) => sum + piece.length, 0);
    places.push([start, start + bytes.length]);
    pieces.push(bytes, Buffer.alloc(1));
  }
  pieces.push(Buffer.alloc(2));
  return { bytes: Buffer.concat(pieces), places };
}
