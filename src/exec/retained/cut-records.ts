import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import type { Chunk, RejectedRecord } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { recordsOf } from '../decode/records-csv.ts';
import { linesOf } from '../decode/records-json.ts';
import { openScratch } from '../scratch.ts';

/** Records in a file of JSON lines: their bytes as base64, whether those are text, and why a record was rejected. */
export interface CutRecords {
  readonly path: string;
  /** Of the file's lines, bytes. */
  readonly longest: number;
  /** Of the records. */
  readonly bytes: number;
  close(): void;
}

/** The records of a chunk, whatever their bytes, as the decoder parts them. */
export async function cutRecords({ partition, body, records }: Chunk): Promise<CutRecords> {
  if (body.kind === 'query') throw new StreamsqlError('INTERNAL', 'a SELECT has no raw records to retain');
  const bytes = await readFile(body.path);
  const { starts, ends } = body.kind === 'json' ? linesOf(bytes) : recordsOf(bytes, body.dialect);
  if (starts.length !== records) {
    const found = `${starts.length} records where ${records} were announced`;
    throw new StreamsqlError('INTERNAL', `a chunk of partition ${partition} has ${found}`);
  }
  return written(starts.map((start, i) => ({ payload: bytes.subarray(start, ends[i]), reason: null })));
}

export const rejectedRecords = (rejected: readonly RejectedRecord[]): Promise<CutRecords> => written(rejected);

async function written(
  records: readonly { readonly payload: Uint8Array | null; readonly reason: string | null }[],
): Promise<CutRecords> {
  let [longest, bytes] = [0, 0];
  const lines = records.map(({ payload, reason }) => {
    const base64 = payload === null ? null : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64'); // prettier-ignore
    const line = Buffer.from(`${JSON.stringify({ is_text: payload !== null && isUtf8(payload), base64, reason })}\n`);
    longest = Math.max(longest, line.length);
    bytes += payload?.byteLength ?? 0;
    return line;
  });
  const scratch = openScratch();
  try {
    const file = scratch.acquire();
    await file.write([Buffer.concat(lines)]);
    return { path: file.path, longest, bytes, close: () => scratch.close() };
  } catch (error) {
    scratch.close();
    throw error;
  }
}
