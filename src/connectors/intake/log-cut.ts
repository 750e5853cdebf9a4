import { isUtf8 } from 'node:buffer';
import type { OffsetRun, RejectedRecord } from '../../base/connector.ts';
import { csvRecordEnds, withoutLineEnd } from '../../base/csv.ts';
import { INTAKE } from '../../base/intake.ts';
import { rejectionIn } from './entries.ts';
import type { Layout } from './layout.ts';

/** Some whole entries at the start of a stretch of a log. */
export interface LogCut {
  /** Where they end, in bytes. */
  readonly end: number;
  readonly records: number;
  readonly runs: readonly OffsetRun[];
  readonly rejected: readonly RejectedRecord[];
  /** The records as a decoder takes them. */
  readonly pieces: readonly Uint8Array[];
  /** Of the record after them. */
  readonly ordinal: number;
}

const LF = 10;

/** Up to `most` records, rejected ones counted. `first`: the ordinal of the first one. */
export function cutLog(bytes: Buffer, layout: Layout, first: number, most: number): LogCut {
  const runs: OffsetRun[] = [];
  const rejected: RejectedRecord[] = [];
  const pieces: Uint8Array[] = [];
  let [at, ordinal, from, runFirst] = [0, first, 0, first];
  const reject = (reason: string, payload: Uint8Array): void => {
    if (ordinal > runFirst) runs.push({ first: runFirst, count: ordinal - runFirst });
    rejected.push({ offset: ordinal++, payload, reason });
    runFirst = ordinal;
  };
  for (const end of entryEnds(bytes, layout)) {
    if (ordinal - first >= most) break;
    if (bytes[at] === INTAKE.mark) {
      if (at > from) pieces.push(bytes.subarray(from, at));
      const rejection = rejectionIn(bytes.subarray(at, end));
      if (rejection !== undefined) reject(rejection.reason, rejection.payload);
      from = end;
    } else if (layout.kind === 'raw') {
      const text = bytes.subarray(at, withoutLineEnd(bytes, at, end));
      if (isUtf8(text)) {
        pieces.push(Buffer.from(`{${JSON.stringify(layout.column)}:${JSON.stringify(text.toString())}}\n`));
        ordinal++;
      } else reject('the line is not valid UTF-8', Buffer.from(text));
      from = end;
    } else ordinal++;
    at = end;
  }
  if (at > from) pieces.push(bytes.subarray(from, at));
  if (ordinal > runFirst) runs.push({ first: runFirst, count: ordinal - runFirst });
  return { end: at, records: ordinal - first - rejected.length, runs, rejected, pieces, ordinal };
}

const entryEnds = (bytes: Buffer, layout: Layout): Iterable<number> =>
  layout.kind === 'csv' ? csvRecordEnds(bytes, layout.quoting) : lineEnds(bytes);

function* lineEnds(bytes: Buffer): Generator<number> {
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) yield at + 1;
}
