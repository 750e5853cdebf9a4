import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Entries } from '../intake/entries.ts';
import { decompressed, recordsOf } from './body.ts';
import { Refusal } from './refusal.ts';

/** Who takes what is posted to one name. */
export interface Taker {
  readonly maxBody: number;
  /** Throws Refusal where a request with these headers is not to be taken. */
  check(headers: IncomingHttpHeaders): void;
  /** So many bytes more, or less, are on their way. */
  arriving(bytes: number): void;
  /** Resolves when they are there for good. */
  take(records: Entries): Promise<void>;
}

/** Reads a request for all who take it; the rows that were taken. Throws Refusal before any of them has taken anything. */
export async function taken(request: IncomingMessage, takers: readonly Taker[]): Promise<number> {
  const { headers } = request;
  for (const taker of takers) taker.check(headers);
  const most = Math.min(...takers.map(({ maxBody }) => maxBody));
  const body = await read(request, most, takers);
  const records = recordsOf(await decompressed(body, headers['content-encoding'], most));
  await Promise.all(takers.map((taker) => taker.take(records)));
  return records.records;
}

async function read(request: IncomingMessage, most: number, takers: readonly Taker[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  // What is announced counts at once, so that many who come together are not all let in.
  let [size, counted] = [0, Number(request.headers['content-length'] ?? 0)];
  const count = (bytes: number): void => {
    for (const taker of takers) taker.arriving(bytes);
  };
  count(counted);
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > counted) count(size - counted);
      counted = Math.max(counted, size);
      if (size > most) throw new Refusal(413, `a body may have ${most} bytes`);
      pieces.push(piece);
    }
  } finally {
    count(-counted);
  }
  return Buffer.concat(pieces);
}
