import { isUtf8 } from 'node:buffer';
import { CHANGE_KEYS } from '../../base/connector.ts';
import type { PartitionLog } from './partition-log.ts';
import { isBlank, joinLines } from './value.ts';

/** The layout of records that are changes: the line is the value with the record's key and the lack of a value in front. */
export interface KeyedLayout {
  readonly format: 'keyed';
  /** `unread`; `any` JSON; or `object`: one of columns, which a key that is no object becomes under the name `only`. */
  readonly key:
    | { readonly kind: 'unread' }
    | { readonly kind: 'any' }
    | { readonly kind: 'object'; readonly only: string | undefined };
}

const OPEN = 0x7b;
const CLOSE = 0x7d;
const LF = 10;
const SPACE = 32;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Appends one record; a null key or value is undefined. `members`: `{"a":1,`, what its line has in front besides. */
export function addKeyed(
  key: Buffer | undefined,
  value: Buffer | undefined,
  offset: number,
  log: PartitionLog,
  layout: KeyedLayout,
  members?: Buffer,
): void {
  const keyText = layout.key.kind === 'unread' ? undefined : keyJson(key, layout.key);
  if (keyText === INVALID) return log.reject(offset, value ?? null, 'the key is not valid UTF-8');
  const before = members === undefined ? [] : [members.toString('utf8', 1, members.length - 1)];
  const front = [...before, ...(keyText === undefined ? [] : [`"${CHANGE_KEYS.key}":${keyText}`])].join(',');
  if (value === undefined) {
    const comma = front === '' ? '' : ',';
    return append(log, offset, [Buffer.from(`{${front}${comma}"${CHANGE_KEYS.deleted}":true}`)]);
  }
  if (value.length === 0) return log.reject(offset, value, 'empty value');
  if (isBlank(value, 0, value.length)) return log.reject(offset, value, 'blank value');
  const body = oneLine(value);
  if (typeof body === 'string') return log.reject(offset, value, `malformed JSON: ${body}`);
  const open = body.findIndex((byte) => byte !== SPACE && (byte < 9 || byte > 13));
  // What is no object is left for the decoder to refuse.
  if (body[open] !== OPEN || front === '') return append(log, offset, [body]);
  const rest = body.subarray(open + 1);
  const first = rest.find((byte) => byte > 32);
  append(log, offset, [Buffer.from(`{${front}${first === CLOSE ? '' : ','}`), rest]);
}

function append(log: PartitionLog, offset: number, parts: readonly Buffer[]): void {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const segment = log.room(length + 1, 1);
  let at = segment.used;
  for (const part of parts) at += part.copy(segment.bytes, at);
  segment.bytes[at] = LF;
  segment.push(offset, at + 1);
}

/** The value without line feeds, and without a byte order mark; the parser's message where it is no JSON. */
function oneLine(marked: Buffer): Buffer | string {
  const isMarked = marked.length > 3 && marked.subarray(0, 3).equals(BYTE_ORDER_MARK);
  const value = isMarked ? marked.subarray(3) : marked;
  if (!value.includes(LF)) return value;
  const copy = Buffer.from(value);
  return joinLines(copy, 0, copy.length) ?? copy;
}

const INVALID = Symbol('not UTF-8');

/** A record's key as JSON on one line: an object, an array or a string as it is written, any other text as a string. */
function keyJson(key: Buffer | undefined, as: KeyedLayout['key']): string | typeof INVALID {
  if (key === undefined) return 'null';
  if (!isUtf8(key)) return INVALID;
  const text = unwrapped(asJson(key.toString()));
  if (as.kind !== 'object' || text.startsWith('{')) return text;
  return as.only === undefined ? 'null' : `{${JSON.stringify(as.only)}:${text}}`;
}

function asJson(text: string): string {
  if (/^\s*[{["]/.test(text)) {
    try {
      JSON.parse(text);
      // Line feeds of valid JSON stand between its tokens only.
      return text.trim().replaceAll(/[\r\n]/g, ' ');
    } catch {
      // It is no JSON: plain text.
    }
  }
  return JSON.stringify(text);
}

/** What Kafka Connect wraps as `{"schema": …, "payload": …}` is the payload, with all digits of its numbers. */
function unwrapped(json: string): string {
  if (!json.startsWith('{') || !json.includes('"payload"')) return json;
  const exact = (_name: string, value: unknown, at?: { source?: string }): unknown =>
    typeof value === 'number' && at?.source !== undefined ? JSON.rawJSON(at.source) : value;
  const found = JSON.parse(json, exact as (this: unknown, name: string, value: unknown) => unknown) as object;
  const names = Object.keys(found);
  if (names.length !== 2 || !names.includes('schema') || !names.includes('payload')) return json;
  return JSON.stringify((found as { payload: unknown }).payload);
}
