import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import type { Chunk, ScratchPool } from '../../base/connector.ts';
import { sql } from '../../base/sql.ts';
import type { DuckConnection } from '../duck.ts';
import { readPart } from '../read-part.ts';
import { misfit, quoteNumbers, scanJson } from './json-scan.ts';
import { withoutFront } from './line-front.ts';
import { ByteRecords } from './records-bytes.ts';
import type { Records } from './records.ts';
import type { Batch } from './read.ts';
import type { StructField } from './type.ts';

const LF = 10;
const OPEN = 123;

/**
 * Opens a chunk of JSON lines for examination: what is no JSON object is out from the start. `members`: that the connector wrote
 * in front.
 */
export async function jsonRecords(
  connection: DuckConnection,
  chunk: Chunk,
  body: Chunk['body'] & { kind: 'json' },
  scratch: ScratchPool,
  members: readonly string[],
): Promise<Records> {
  const bytes =
    body.start === undefined
      ? await readFile(body.path)
      : await readPart(body.path, body.start, Buffer.allocUnsafe(body.bytes));
  const lines = linesOf(bytes);
  const records = new ByteRecords(chunk, body.byteOffset, bytes, lines);
  if (!isUtf8(bytes)) {
    for (const i of records.left()) if (!isUtf8(records.slice(i))) records.reject(i, 'malformed JSON: invalid UTF-8');
  }
  await rejectMalformed(connection, records, scratch, members);
  for (const i of records.left())
    if (records.bytes[records.starts[i] ?? 0] !== OPEN) records.reject(i, 'not a JSON object');
  return new JsonRecords(records, lines.marked || body.start !== undefined ? undefined : body.path, scratch, members);
}

/**
 * Lines that are not blank, without the white space around them, as read_json splits them; without a byte order mark
 * too (`marked`), which read_json skips at the start of a file, though only if it is given several.
 */
export function linesOf(bytes: Buffer): { starts: number[]; ends: number[]; marked: boolean } {
  const starts: number[] = [];
  const ends: number[] = [];
  let marked = false;
  for (let at = 0; at < bytes.length;) {
    const feed = bytes.indexOf(LF, at);
    const next = feed === -1 ? bytes.length : feed + 1;
    let end = feed === -1 ? bytes.length : feed;
    if (end - at > 3 && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) {
      marked = true;
      at += 3;
    }
    while (at < end && isSpace(bytes[at])) at++;
    while (end > at && isSpace(bytes[end - 1])) end--;
    if (at < end) {
      starts.push(at);
      ends.push(end);
    }
    at = next;
  }
  return { starts, ends, marked };
}

const isSpace = (byte: number | undefined): boolean =>
  byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13 && byte !== LF);

/** DuckDB's own parser says which lines are no JSON, so that this path and the fast one cannot differ. */
async function rejectMalformed(
  connection: DuckConnection,
  records: ByteRecords,
  scratch: ScratchPool,
  members: readonly string[],
): Promise<void> {
  const left = [...records.left()];
  if (left.length === 0) return;
  const path = await records.write(scratch);
  // The last element is what follows the last line feed: nothing.
  const bad = await connection.text(
    sql`SELECT CAST(list_filter(list_transform(string_split(content, chr(10)), lambda x, i: CASE WHEN json_valid(x) THEN 0 ELSE i END), lambda i: i > 0) AS VARCHAR) FROM read_text(${path})`,
  );
  for (const line of numbers(bad)) {
    const ordinal = left[line - 1];
    // Positions are those in the record as it was sent.
    if (ordinal !== undefined)
      records.reject(ordinal, malformed(withoutFront(records.slice(ordinal), members).toString()));
  }
}

const numbers = (list: string | undefined): readonly number[] => (list?.match(/\d+/g) ?? []).map(Number);

function malformed(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    if (error instanceof Error) return `malformed JSON: ${error.message}`;
  }
  return 'malformed JSON: a surrogate without its other half';
}

class JsonRecords implements Records {
  private readonly records: ByteRecords;
  /** The chunk's own file, where it may be read as it stands. */
  private readonly path: string | undefined;
  private readonly scratch: ScratchPool;
  private readonly members: readonly string[];

  constructor(records: ByteRecords, path: string | undefined, scratch: ScratchPool, members: readonly string[]) {
    this.records = records;
    this.members = members;
    this.path = path;
    this.scratch = scratch;
  }

  get rejected(): ReadonlyMap<number, string> {
    return this.records.rejected;
  }

  reject(ordinal: number, reason: string): void {
    this.records.reject(ordinal, reason);
  }

  examine(columns: readonly StructField[]): boolean {
    const before = this.records.rejected.size;
    for (const i of this.records.left()) {
      const reason = misfit(scanJson(this.records.text(i)), columns);
      if (reason !== undefined) this.records.reject(i, reason);
    }
    return this.records.rejected.size > before;
  }

  keepDigits(ordinals: readonly number[], columns: ReadonlySet<string>): void {
    for (const i of ordinals) this.records.rewritten.set(i, Buffer.from(quoteNumbers(this.records.text(i), columns)));
  }

  async batch(): Promise<Batch | undefined> {
    if (this.records.rejected.size === this.records.count) return undefined;
    const own = this.records.rejected.size === 0 && this.records.rewritten.size === 0;
    const path = (own ? this.path : undefined) ?? (await this.records.write(this.scratch));
    return { kind: 'json', paths: [path], longest: this.records.longest() };
  }

  describe(ordinals: readonly number[]): ReturnType<Records['describe']> {
    return this.records.describe(ordinals, (line) => withoutFront(line, this.members));
  }
}
