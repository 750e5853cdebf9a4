import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Entries } from '../intake/entries.ts';
import { decompressed, recordsOf } from './body.ts';
import { Refusal } from './refusal.ts';

/** Who takes what is posted to one name. */
export interface Taker {
  readonly maxBody: number;
  /** Throws Refusal where a request with these headers is not to be taken. */
  check(headers: IncomingHttpHeaders): void;
  /** Throws Refusal where too much waits or is on its way already, beside `own` bytes. */
  checkRoom(own: number): void;
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
  const given = async (bytes: Buffer): Promise<Given> => {
    const { records, bytes: lines } = recordsOf(bytes);
    const taking = Promise.all(takers.map((taker) => taker.take({ records, bytes: lines })));
    taking.catch(() => undefined);
    // What is given counts from here on.
    await new Promise((resolve) => setImmediate(resolve));
    return { records, taking };
  };
  const encoding = headers['content-encoding']?.trim().toLowerCase();
  const { records, taking } = await (encoding === undefined
    ? given(body)
    : inTurn(async () => {
        for (const taker of takers) taker.checkRoom(0);
        return given(await decompressed(body, encoding, most));
      }));
  await taking;
  return records;
}

interface Given {
  readonly records: number;
  readonly taking: Promise<unknown>;
}

let turn: Promise<unknown> = Promise.resolve();

/** What is small on its way may be large in memory: one body at a time, and none while too much waits. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const own = turn.then(work);
  turn = own.catch(() => undefined);
  return own;
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
    // Who is refused on the way is to hear of it.
    for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > counted) {
        for (const taker of takers) taker.checkRoom(counted);
        count(size - counted);
        counted = size;
      }
      if (size > most) throw new Refusal(413, `a body may have ${most} bytes`);
      pieces.push(piece);
    }
  } finally {
    count(-counted);
  }
  return Buffer.concat(pieces);
}
