import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Entries } from '../intake/entries.ts';
import { Refusal } from './refusal.ts';

const inflate = promisify(gunzip);
const LF = 10;
const CR = 13;
const SPACE = 32;
const QUOTE = 0x22;
const ESCAPE = 0x5c;
const COMMA = 0x2c;
const OPEN = [0x5b, 0x7b];
const CLOSE = [0x5d, 0x7d];

/** The body as it was before it was compressed, at most `most` bytes. */
export async function decompressed(body: Buffer, encoding: string | undefined, most: number): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity') return body;
  if (encoding !== 'gzip' && encoding !== 'x-gzip')
    throw new Refusal(415, `content-encoding may be gzip, not ${encoding}`);
  try {
    return await inflate(body, { maxOutputLength: most });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw new Refusal(413, `a body may have ${most} bytes`);
    throw new Refusal(400, 'the body is no gzip');
  }
}

/** The records of a body: an array of JSON, or JSON a line. Throws where any of it is no JSON: nothing of it is taken then. */
export function recordsOf(body: Buffer): Entries {
  if (!isUtf8(body)) throw new Refusal(400, 'the body is not valid UTF-8');
  const bytes = body.length >= 3 && body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
  const first = bytes.find((byte) => !isSpace(byte));
  if (first === undefined) return { bytes: [], records: 0 };
  if (first === OPEN[0]) return elements(bytes);
  return lines(bytes);
}

function lines(bytes: Buffer): Entries {
  const records: Buffer[] = [];
  let line = 0;
  for (let at = 0; at < bytes.length;) {
    const feed = bytes.indexOf(LF, at);
    const end = feed === -1 ? bytes.length : feed;
    line++;
    const record = trimmed(bytes, at, end);
    at = end + 1;
    if (record.length === 0) continue;
    const problem = problemOf(record);
    // One object may be written over several lines.
    if (problem !== undefined && records.length === 0 && problemOf(bytes) === undefined) return entries([bytes]);
    if (problem !== undefined) throw new Refusal(400, `line ${line} is no JSON: ${problem}`, { line });
    records.push(record);
  }
  return entries(records);
}

function elements(bytes: Buffer): Entries {
  const problem = problemOf(bytes);
  if (problem !== undefined) throw new Refusal(400, `the body is no JSON: ${problem}`);
  const found: Buffer[] = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) at = closing(bytes, at);
    else if (OPEN.includes(byte) && ++depth === 1) start = at + 1;
    else if ((byte === COMMA && depth === 1) || (CLOSE.includes(byte) && --depth === 0)) {
      const element = trimmed(bytes, start, at);
      if (element.length > 0) found.push(element);
      start = at + 1;
    }
  }
  return entries(found);
}

/** Each on a line of its own: line feeds of valid JSON stand between its tokens only. */
function entries(records: readonly Buffer[]): Entries {
  const bytes: Buffer[] = [];
  for (const record of records) {
    const line = Buffer.allocUnsafe(record.length + 1);
    record.copy(line);
    for (let at = line.indexOf(LF); at !== -1 && at < record.length; at = line.indexOf(LF, at)) line[at] = SPACE;
    for (let at = line.indexOf(CR); at !== -1 && at < record.length; at = line.indexOf(CR, at)) line[at] = SPACE;
    line[record.length] = LF;
    bytes.push(line);
  }
  return { bytes, records: records.length };
}

function problemOf(text: Buffer): string | undefined {
  try {
    JSON.parse(text.toString());
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Where the text that begins with the quote at `open` ends. */
function closing(bytes: Buffer, open: number): number {
  for (let at = open + 1; at < bytes.length; at++) {
    if (bytes[at] === ESCAPE) at++;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.length;
}

function trimmed(bytes: Buffer, start: number, end: number): Buffer {
  let [from, to] = [start, end];
  while (from < to && isSpace(bytes[from] ?? 0)) from++;
  while (to > from && isSpace(bytes[to - 1] ?? 0)) to--;
  return bytes.subarray(from, to);
}

const isSpace = (byte: number): boolean => byte === SPACE || (byte >= 9 && byte <= CR);
