import { nearest } from '../base/options.ts';
import { type TokenCursor, checkName, inGapOf, isName, synthetic, withText } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/**
 * Reads one type, in DuckDB's spelling or the standard's, and gives its tokens in DuckDB's spelling:
 * `ROW<a INT, b ARRAY<STRING>>` becomes `STRUCT(a INT, b VARCHAR[])`. Throws SYNTAX where there is no type, UNSUPPORTED
 * where DuckDB has none like it.
 */
export function readType(cursor: TokenCursor): readonly Token[] {
  const type = [...readBase(cursor)];
  for (;;) {
    const suffix = readArraySuffix(cursor);
    if (suffix === undefined) return type;
    type.push(...suffix);
  }
}

function readBase(cursor: TokenCursor): readonly Token[] {
  const token = cursor.peek();
  if (token === undefined || !isName(token)) throw cursor.unexpected('a type');
  const opens = cursor.peek(1)?.key;
  const bracketed = opens === '<' || opens === '(';
  switch (token.key) {
    case 'ROW':
    case 'STRUCT':
      return bracketed ? readFields(cursor, 'STRUCT') : readNamed(cursor);
    case 'UNION':
      return bracketed ? readFields(cursor, 'UNION') : readNamed(cursor);
    case 'MAP':
      return bracketed ? readMap(cursor) : readNamed(cursor);
    case 'ARRAY':
    case 'LIST':
      if (opens === '<') return readList(cursor);
      return readNamed(cursor);
    case 'MULTISET':
      throw cursor.error('UNSUPPORTED', 'there is no MULTISET type', token.span, 'use an array: INT[]');
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
    case 'TIMESTAMPTZ':
    case 'DATETIME':
      return readTimestamp(cursor);
    case 'TIME':
      return readTime(cursor);
    default:
      return readNamed(cursor);
  }
}

/** Types of other engines whose DuckDB name differs; their length, if any, is dropped. */
const RENAMED: Readonly<Record<string, string>> = {
  STRING: 'VARCHAR',
  BYTES: 'BLOB',
  BINARY: 'BLOB',
  VARBINARY: 'BLOB',
};

/** A plain name with its arguments: `DECIMAL(10, 2)`, `ENUM('a', 'b')`. */
function readNamed(cursor: TokenCursor): readonly Token[] {
  const token = cursor.next();
  const renamed = RENAMED[token.key];
  if (renamed !== undefined) {
    readArguments(cursor);
    return [withText(token, renamed)];
  }
  if (cursor.sees('<')) {
    const near = nearest(token.text, ['ROW', 'STRUCT', 'ARRAY', 'LIST', 'MAP']);
    const hint = near === undefined ? undefined : `did you mean ${near}?`;
    throw cursor.error('SYNTAX', `the type ${token.text} has no parts in < >`, token.span, hint);
  }
  if (token.key === 'DOUBLE' && cursor.takes('PRECISION')) return [token];
  if ((token.key === 'CHARACTER' || token.key === 'CHAR') && cursor.takes('VARYING')) {
    return [withText(token, 'VARCHAR'), ...readArguments(cursor)];
  }
  return [token, ...readArguments(cursor)];
}

function readArguments(cursor: TokenCursor): readonly Token[] {
  if (!cursor.sees('(')) return [];
  const taken = [cursor.next()];
  for (;;) {
    const value = cursor.peek();
    if (value?.kind !== 'number' && value?.kind !== 'string') throw cursor.unexpected('a number or a string');
    taken.push(cursor.next());
    if (cursor.sees(',')) taken.push(cursor.next());
    else return [...taken, cursor.expect(')', [',', ')'])];
  }
}

function readFields(cursor: TokenCursor, spelling: string): readonly Token[] {
  const type = [withText(cursor.next(), spelling)];
  const open = cursor.next();
  const close = open.key === '<' ? '>' : ')';
  type.push(withText(open, '('));
  for (;;) {
    const name = cursor.peek();
    if (name === undefined || !isName(name)) throw cursor.unexpected('the name of a field');
    checkName(name);
    type.push(cursor.next());
    cursor.takes(':');
    type.push(...readType(cursor));
    cursor.takes('NOT', 'NULL');
    if (cursor.takes('COMMENT')) cursor.next();
    if (cursor.sees(',')) type.push(cursor.next());
    else return [...type, withText(cursor.expect(close, [',', close]), ')')];
  }
}

function readMap(cursor: TokenCursor): readonly Token[] {
  const map = cursor.next();
  const open = cursor.next();
  const close = open.key === '<' ? '>' : ')';
  const key = readType(cursor);
  const comma = cursor.expect(',');
  const value = readType(cursor);
  return [map, withText(open, '('), ...key, comma, ...value, withText(cursor.expect(close), ')')];
}

function readList(cursor: TokenCursor): readonly Token[] {
  const list = cursor.next();
  cursor.expect('<');
  const element = readType(cursor);
  cursor.takes('NOT', 'NULL');
  const close = cursor.expect('>');
  return [...inGapOf(list, element), synthetic('[', close), synthetic(']', close)];
}

function readArraySuffix(cursor: TokenCursor): readonly Token[] | undefined {
  const token = cursor.peek();
  if (token?.key === 'ARRAY') {
    cursor.next();
    if (cursor.sees('[')) return readArraySuffix(cursor);
    return [synthetic('[', token), synthetic(']', token)];
  }
  if (cursor.sees('[', ']')) return [cursor.next(), cursor.next()];
  if (token?.key === '[' && cursor.peek(1)?.kind === 'number' && cursor.peek(2)?.key === ']') {
    return [cursor.next(), cursor.next(), cursor.next()];
  }
  return undefined;
}

/** DuckDB's TIMESTAMP counts microseconds; the standard's precisions up to that mean no other type here. */
const MICROSECOND_DIGITS = 6;
const NANOSECOND_DIGITS = 9;

function readTimestamp(cursor: TokenCursor): readonly Token[] {
  const token = cursor.next();
  const digits = readPrecision(cursor);
  const local = cursor.takes('WITH', 'LOCAL', 'TIME', 'ZONE');
  const zoned = local || cursor.takes('WITH', 'TIME', 'ZONE') || token.key.endsWith('TZ');
  if (!zoned) cursor.takes('WITHOUT', 'TIME', 'ZONE');
  if (digits === undefined || digits <= MICROSECOND_DIGITS) {
    return [withText(token, zoned ? 'TIMESTAMPTZ' : 'TIMESTAMP')];
  }
  if (zoned || digits > NANOSECOND_DIGITS) {
    const most = zoned ? MICROSECOND_DIGITS : NANOSECOND_DIGITS;
    throw cursor.error('UNSUPPORTED', `${token.text} has at most ${most} digits of a second`, token.span);
  }
  return [withText(token, 'TIMESTAMP_NS')];
}

function readTime(cursor: TokenCursor): readonly Token[] {
  const token = cursor.next();
  readPrecision(cursor);
  if (cursor.takes('WITH', 'TIME', 'ZONE')) return [withText(token, 'TIMETZ')];
  cursor.takes('WITHOUT', 'TIME', 'ZONE');
  return [token];
}

function readPrecision(cursor: TokenCursor): number | undefined {
  if (!cursor.takes('(')) return undefined;
  const digits = cursor.peek();
  if (digits?.kind !== 'number' || !/^\d+$/.test(digits.text)) throw cursor.unexpected('a number of digits');
  cursor.next();
  cursor.expect(')');
  return Number(digits.text);
}
