import { isUtf8 } from 'node:buffer';
import type { Chunk, RejectedRecord } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { ident, raw, sql, type Sql } from '../../base/sql.ts';
import { recordsOf } from '../decode/records-csv.ts';
import { linesOf } from '../decode/records-json.ts';
import { readPart } from '../read-part.ts';

/** Records as lines that `readLines` reads, each with its line feed. */
export interface RawLines {
  readonly bytes: Uint8Array;
  /** Some are not as they were: a line holds no line feed, and nothing that is no UTF-8. */
  readonly isEscaped: boolean;
  /** Of the lines, bytes. */
  readonly longest: number;
}

/** One buffer for all chunks: asking for a fresh one costs more than the bytes in it. */
export class Window {
  private buffer = Buffer.alloc(0);

  take(bytes: number): Buffer {
    if (this.buffer.length < bytes) this.buffer = Buffer.allocUnsafeSlow(bytes);
    return this.buffer.subarray(0, bytes);
  }
}

const LF = 10;
const CR = 13;
const DELIMITER = 1;
/** A line that begins so is an escaped one: what it is, and its bytes as base64. */
const ESCAPE = 2;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** The records of a chunk, as the decoder parts them; good until the next of the same window. */
export async function rawLines({ partition, body, records }: Chunk, window: Window): Promise<RawLines> {
  if (body.kind === 'query') throw new StreamsqlError('INTERNAL', 'a SELECT has no raw records to retain');
  const start = body.kind === 'json' ? (body.start ?? 0) : 0;
  const bytes = await readWhole(body.path, start, window.take(body.bytes + 1));
  const longest = longestPlain(bytes, records);
  if (longest !== undefined) return { bytes, isEscaped: false, longest };
  const { starts, ends } = body.kind === 'json' ? linesOf(bytes) : recordsOf(bytes, body.dialect);
  if (starts.length !== records) {
    const found = `${starts.length} records where ${records} were announced`;
    throw new StreamsqlError('INTERNAL', `a chunk of partition ${partition} has ${found}`);
  }
  return joined(starts.map((start, i) => `\x02${escaped(bytes.subarray(start, ends[i]))}`));
}

export const rejectedLines = (rejected: readonly RejectedRecord[]): RawLines =>
  joined(rejected.map(({ payload, reason }) => `\x02r${base64(Buffer.from(reason))}:${payload === null ? '' : escaped(payload)}`)); // prettier-ignore

/** The relation of such lines in a file: `payload` as text, or `bytes` where it is none, and `reason` of those rejected. */
export function readLines(path: string, { isEscaped, longest }: Omit<RawLines, 'bytes'>): Sql {
  const size = longest > LINE_LIMIT ? sql`, max_line_size = ${longest + 1024}, buffer_size = ${16 * (longest + 1024)}` : raw(''); // prettier-ignore
  // One column, whatever is in the line: nothing is quoted, and what parts columns stands in none.
  const lines = sql`read_csv(${path}, auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', nullstr = [''], new_line = '\\n', columns = {line: 'VARCHAR'}${size})`;
  const line = ident('line');
  if (!isEscaped) return sql`(SELECT ${line} AS payload, CAST(NULL AS BLOB) AS bytes, CAST(NULL AS VARCHAR) AS reason FROM ${lines})`; // prettier-ignore
  const isPlain = sql`NOT starts_with(${line}, '\x02')`;
  const value = sql`(CASE WHEN ${line}[2] = 'r' THEN split_part(${line}, ':', 2) ELSE ${line}[2:] END)`;
  return sql`(SELECT
    CASE WHEN ${isPlain} THEN ${line} WHEN ${value}[1] = 't' THEN decode(from_base64(${value}[2:])) END AS payload,
    CASE WHEN ${isPlain} THEN NULL WHEN ${value}[1] = 'b' THEN from_base64(${value}[2:]) END AS bytes,
    CASE WHEN ${isPlain} THEN NULL WHEN ${line}[2] = 'r' THEN decode(from_base64(split_part(${line}[3:], ':', 1))) END AS reason
    FROM ${lines})`;
}

/** DuckDB's own limit for one line is a little more, which a longer one raises. */
const LINE_LIMIT = 1_900_000;

/** As much of a file from `start` on as the buffer takes less one byte; its last line gets a line feed where it has none. */
async function readWhole(path: string, start: number, buffer: Buffer): Promise<Buffer> {
  const { length } = await readPart(path, start, buffer.subarray(0, -1));
  if (length === 0 || buffer[length - 1] === LF) return buffer.subarray(0, length);
  buffer[length] = LF;
  return buffer.subarray(0, length + 1);
}

/** The longest line, bytes, where each is a record and may stand as it is; else undefined. */
function longestPlain(bytes: Buffer, records: number): number | undefined {
  if ([DELIMITER, ESCAPE, CR].some((byte) => bytes.includes(byte)) || !isUtf8(bytes)) return undefined;
  if (bytes.subarray(0, MARK.length).equals(MARK)) return undefined;
  let [lines, longest] = [0, 0];
  for (let at = 0; at < bytes.length; lines++) {
    const feed = bytes.indexOf(LF, at);
    if (feed === at) return undefined;
    if (feed - at > longest) longest = feed - at;
    at = feed + 1;
  }
  return lines === records ? longest : undefined;
}

function joined(lines: readonly string[]): RawLines {
  const longest = lines.reduce((most, { length }) => Math.max(most, length), 0);
  return { bytes: Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1'), isEscaped: true, longest };
}

const escaped = (bytes: Uint8Array): string => `${isUtf8(bytes) ? 't' : 'b'}${base64(bytes)}`;

const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');
