import type { CsvDialect } from '../../base/connector.ts';
import { csvRecordEnds, withoutLineEnd } from '../../base/csv.ts';
import type { PartitionLog } from './partition-log.ts';

/** The layout of `format = 'csv'`: each value is one record of CSV, without a header. */
export interface CsvLayout {
  readonly format: 'csv';
  readonly dialect: CsvDialect;
}

const LF = 10;

/** Appends one value: a record, with or without its line end. One that would take its neighbours along is rejected. */
export function addCsv(value: Buffer, offset: number, log: PartitionLog, { dialect }: CsvLayout): void {
  const length = withoutLineEnd(value, 0, value.length);
  if (length === 0) return log.reject(offset, value, value.length === 0 ? 'empty value' : 'blank value');
  const segment = log.room(length + 1, 1);
  const at = segment.used;
  const end = at + value.copy(segment.bytes, at, 0, length) + 1;
  segment.bytes[end - 1] = LF;
  const problem = problemOf(segment.bytes.subarray(at, end), dialect);
  if (problem === undefined) segment.push(offset, end);
  else log.reject(offset, value, `malformed CSV: ${problem}`);
}

/** Why the bytes, which end in a line feed, are not one record; undefined where they are. */
function problemOf(bytes: Buffer, dialect: CsvDialect): string | undefined {
  const isPlain = dialect.quote === '' || !bytes.includes(dialect.quote);
  if (isPlain && bytes.indexOf(LF) === bytes.length - 1) return undefined;
  const [first] = csvRecordEnds(bytes, dialect);
  if (first === undefined) return 'a quoted field does not end';
  return first < bytes.length ? 'more than one record in a value' : undefined;
}
