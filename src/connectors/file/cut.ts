import { csvRecordEnds, withoutLineEnd, type CsvQuoting } from '../../base/csv.ts';

/** Some whole records at the start of a buffer. */
export interface Cut {
  readonly records: number;
  /** Where they end, in bytes; blank lines around them included. */
  readonly end: number;
  /** Every `MARK_RECORDS` records: where a chunk may end. */
  readonly marks: readonly Mark[];
}

interface Mark {
  readonly records: number;
  readonly end: number;
}

const MARK_RECORDS = 1024;
const LF = 10;

/** JSON lines. `last` says that nothing follows the buffer, so that a line without its line feed is whole. */
export function cutLines(bytes: Buffer, last: boolean, most: number): Cut {
  return cut(bytes, last, most, lineEnd, isBlankLine);
}

/** CSV: a record ends at a line feed outside quotes. */
export function cutCsv(bytes: Buffer, last: boolean, most: number, quoting: CsvQuoting): Cut {
  const plain = quoting.quote === '' || !bytes.includes(quoting.quote);
  if (plain) return cut(bytes, last, most, lineEnd, isEmptyLine);
  const ends = csvRecordEnds(bytes, quoting);
  return cut(bytes, last, most, () => ends.next().value ?? -1, isEmptyLine);
}

function cut(
  bytes: Buffer,
  last: boolean,
  most: number,
  endOf: (bytes: Buffer, start: number) => number,
  isBlank: (bytes: Buffer, start: number, end: number) => boolean,
): Cut {
  const marks: Mark[] = [];
  let records = 0;
  let start = 0;
  while (start < bytes.length && records < most) {
    let end = endOf(bytes, start);
    if (end === -1) {
      if (!last) break;
      end = bytes.length;
    }
    if (!isBlank(bytes, start, end)) {
      records++;
      if (records % MARK_RECORDS === 0) marks.push({ records, end });
    }
    start = end;
  }
  return { records, end: start, marks };
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
export function partition({ records, end, marks }: Cut, parts: number): readonly Mark[] {
  const wanted = Math.min(parts, Math.floor(records / (8 * MARK_RECORDS)));
  const stops: Mark[] = [];
  let next = 0;
  for (let i = 1; i < wanted; i++) {
    while (next < marks.length && (marks[next]?.end ?? 0) < (end * i) / wanted) next++;
    const stop = marks[next];
    if (stop !== undefined && stop.records < records && stop !== stops.at(-1)) stops.push(stop);
  }
  return [...stops, { records, end }];
}
