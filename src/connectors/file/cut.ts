import { joinChecks, NO_BYTES, type Check } from '../../base/crc32.ts';
import { csvRecordEnds, withoutLineEnd, type CsvQuoting } from '../../base/csv.ts';
import { extendCheck } from '../check.ts';

/** Some whole records at the start of a buffer. */
export interface Cut {
  readonly records: number;
  /** Where they end, in bytes; blank lines around them included. */
  readonly end: number;
  /** Every `MARK_RECORDS` records: where a chunk may end. */
  readonly marks: readonly Mark[];
  /** Of the bytes after the last mark. */
  readonly rest: Check;
}

interface Mark {
  readonly records: number;
  readonly end: number;
  /** Of the bytes since the mark before. */
  readonly check: Check;
}

const MARK_RECORDS = 1024;
/** Bytes are checked soon after they were looked through, while the processor's cache has them: a third of the time. */
const CHECKED_BYTES = 1 << 17;
const LF = 10;

/** JSON lines. `last` says that nothing follows the buffer, so that a line without its line feed is whole. */
export function cutLines(bytes: Buffer, last: boolean, most: number): Cut {
  return cutBy(bytes, last, most, lineEnd, isBlankLine);
}

/** CSV: a record ends at a line feed outside quotes. */
export function cutCsv(bytes: Buffer, last: boolean, most: number, quoting: CsvQuoting): Cut {
  const plain = quoting.quote === '' || !bytes.includes(quoting.quote);
  if (plain) return cutBy(bytes, last, most, lineEnd, isEmptyLine);
  const ends = csvRecordEnds(bytes, quoting);
  return cutBy(bytes, last, most, () => ends.next().value ?? -1, isEmptyLine);
}

/** `endOf`: where the record ends that begins there; -1 where its end is not among the bytes. */
export function cutBy(
  bytes: Buffer,
  last: boolean,
  most: number,
  endOf: (bytes: Buffer, start: number) => number,
  isBlank: (bytes: Buffer, start: number, end: number) => boolean,
): Cut {
  const marks: Mark[] = [];
  let records = 0;
  let start = 0;
  let check = NO_BYTES;
  let checked = 0;
  const checkTo = (end: number): void => {
    check = extendCheck(check, bytes.subarray(checked, end));
    checked = end;
  };
  while (start < bytes.length && records < most) {
    let end = endOf(bytes, start);
    if (end === -1) {
      if (!last) break;
      end = bytes.length;
    }
    if (!isBlank(bytes, start, end)) {
      records++;
      if (records % MARK_RECORDS === 0) {
        checkTo(end);
        marks.push({ records, end, check });
        check = NO_BYTES;
      }
    }
    if (end - checked >= CHECKED_BYTES) checkTo(end);
    start = end;
  }
  checkTo(start);
  return { records, end: start, marks, rest: check };
}

const lineEnd = (bytes: Buffer, start: number): number => bytes.indexOf(LF, start) + 1 || -1;

/** White space as DuckDB's JSON reader skips it between records. */
function isBlankLine(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    if (byte !== 32 && (byte < 9 || byte > 13)) return false;
  }
  return true;
}

const isEmptyLine = (bytes: Buffer, start: number, end: number): boolean => withoutLineEnd(bytes, start, end) === start;

/** Cuts a cut into at most `parts` stretches of about as many bytes each, and none of too few records. */
export function partition({ records, end, marks, rest }: Cut, parts: number): readonly Mark[] {
  const wanted = Math.min(parts, Math.floor(records / (8 * MARK_RECORDS)));
  const stops: Mark[] = [];
  let check = NO_BYTES;
  for (const mark of marks) {
    check = joinChecks(check, mark.check);
    if (mark.end < (end * (stops.length + 1)) / wanted || mark.records === records || stops.length + 1 >= wanted) continue; // prettier-ignore
    stops.push({ ...mark, check });
    check = NO_BYTES;
  }
  return [...stops, { records, end, check: joinChecks(check, rest) }];
}
