import { StreamsqlError, type Span } from '../base/errors.ts';
import { literal } from '../base/sql.ts';
import { synthetic } from './token-cursor.ts';
import type { Token } from './tokens.ts';

const UNIT =
  /^(?:MICROSECOND|MILLISECOND|SECOND|MINUTE|HOUR|DAY|WEEK|MONTH|QUARTER|YEAR|DECADE)S?$|^(?:CENTURY|CENTURIES|MILLENNIUM|MILLENNIA|MILLENNIUMS)$/;
const FIELDS = ['YEAR', 'MONTH', 'DAY', 'HOUR', 'MINUTE', 'SECOND'] as const;
const GLUED_UNITS = /^(?:ms|us|s|m|h|d|w)(?:\d+(?:ms|us|s|m|h|d|w))*$/i;

/**
 * Intervals in the standard's spelling become DuckDB's: `INTERVAL '10' SECOND` is `INTERVAL '10 SECOND'`,
 * `INTERVAL '1:30' MINUTE TO SECOND` is `INTERVAL '1 MINUTE 30 SECOND'`, a bare `5s` is `INTERVAL '5s'`. DuckDB takes
 * some of them as they stand, but cuts `'1.5' MINUTE` to one minute.
 */
export function rewriteIntervals(tokens: readonly Token[]): readonly Token[] {
  const out: Token[] = [];
  for (let i = 0; i < tokens.length;) {
    const token = tokens[i];
    if (token === undefined) break;
    const long = token.key === 'INTERVAL' ? readInterval(tokens, i) : undefined;
    const short = gluedDuration(tokens, i);
    if (long !== undefined) {
      out.push(token, long.literal);
      i = long.next;
    } else if (short !== undefined) {
      if (out.at(-1)?.key !== 'INTERVAL') out.push({ ...synthetic('INTERVAL', token), gap: token.gap });
      out.push(short);
      i += 2;
    } else {
      out.push(token);
      i++;
    }
  }
  return out;
}

/** `5s`, `1h30m`: a number with a unit grown to it. */
function gluedDuration(tokens: readonly Token[], i: number): Token | undefined {
  const [number, unit] = [tokens[i], tokens[i + 1]];
  if (number?.kind !== 'number' || unit?.kind !== 'word' || !GLUED_UNITS.test(unit.text)) return undefined;
  if (unit.span.start !== number.span.end) return undefined;
  const span = { start: number.span.start, end: unit.span.end };
  return quoted(`${number.text}${unit.text}`, { ...number, span });
}

/**
 * The index behind the interval literal at `start`, whose variables are not filled in yet; undefined where none stands
 * there. The word INTERVAL may be missing before a number with its unit.
 */
export function endOfInterval(tokens: readonly Token[], start: number): number | undefined {
  const bare = tokens[start]?.key !== 'INTERVAL';
  let i = bare ? start : start + 1;
  if (!bare && (tokens[i]?.key === '-' || tokens[i]?.key === '+')) i++;
  const value = tokens[i++];
  const unit = tokens[i];
  if (value?.kind === 'number' && unit?.kind === 'word' && unit.span.start === value.span.end) return i + 1;
  if (value?.kind !== 'number' && value?.kind !== 'variable' && (bare || value?.kind !== 'string')) return undefined;
  if (unit?.kind !== 'word' || !UNIT.test(unit.key)) return value.kind === 'string' ? i : undefined;
  i = skipPrecision(tokens, i + 1);
  return tokens[i]?.key === 'TO' && tokens[i + 1] !== undefined ? skipPrecision(tokens, i + 2) : i;
}

interface Interval {
  readonly literal: Token;
  readonly next: number;
}

/** INTERVAL [sign] value unit [(p)] [TO unit [(p)]], from the word INTERVAL on. */
function readInterval(tokens: readonly Token[], start: number): Interval | undefined {
  let i = start + 1;
  const signed = tokens[i]?.key === '-' || tokens[i]?.key === '+';
  const negative = tokens[i]?.key === '-';
  const first = tokens[i];
  if (signed) i++;
  const value = tokens[i++];
  if (value === undefined || first === undefined) return undefined;
  if (value.kind !== 'number' && !(value.kind === 'string' && value.text.startsWith("'"))) return undefined;
  const from = tokens[i];
  if (from?.kind !== 'word' || !UNIT.test(from.key)) return undefined;
  i = skipPrecision(tokens, i + 1);
  let to: Token | undefined;
  if (tokens[i]?.key === 'TO' && tokens[i + 1] !== undefined) {
    to = tokens[i + 1];
    i = skipPrecision(tokens, i + 2);
  }
  const span: Span = { start: first.span.start, end: tokens[i - 1]?.span.end ?? from.span.end };
  const text = to === undefined ? single(value, from.key) : range(value, from.key, to.key, span);
  return { literal: quoted(negative ? negate(text) : text, { ...first, span }), next: i };
}

/** The precision in `SECOND(3)` says how much is kept in storage, not what the literal means. */
function skipPrecision(tokens: readonly Token[], i: number): number {
  let at = i;
  if (tokens[at]?.key !== '(' || tokens[at + 1]?.kind !== 'number') return i;
  at += 2;
  if (tokens[at]?.key === ',' && tokens[at + 1]?.kind === 'number') at += 2;
  return tokens[at]?.key === ')' ? at + 1 : i;
}

function single(value: Token, unit: string): string {
  const text = value.value.trim().replace(/^\+/, '');
  if (/^-?(?:\d[\d_]*\.?\d*|\.\d+)$/.test(text)) return `${text.replaceAll('_', '')} ${unit}`;
  throw new StreamsqlError('SYNTAX', `an interval in ${unit} takes one number`, {
    span: value.span,
    hint: "write INTERVAL '90' SECOND, INTERVAL '1 minute 30 seconds' or INTERVAL '1:30' MINUTE TO SECOND",
  });
}

/** `'3 04:05:06.7' DAY TO SECOND`: as many numbers as fields. */
function range(value: Token, from: string, to: string, span: Span): string {
  const fields = fieldsBetween(from, to, span);
  const text = value.value.trim();
  const negative = text.startsWith('-');
  const numbers = text.replace(/^[-+]/, '').split(/[\s:-]+/);
  const separators = text.replace(/^[-+]/, '').replaceAll(/[\d.]/g, '').replaceAll(/\s+/g, ' ');
  const fits = numbers.every((number, i) => /^\d+$/.test(number) || (i > 0 && /^\d+\.\d+$/.test(number)));
  if (numbers.length !== fields.length || !fits || separators !== separatorsOf(fields)) {
    const example = fields.map((_, i) => `${i + 1}${separatorsOf(fields)[i] ?? ''}`).join('');
    throw new StreamsqlError('SYNTAX', `this is no interval of ${from} TO ${to}`, {
      span: value.span,
      hint: `write INTERVAL '${example}' ${from} TO ${to}`,
    });
  }
  const made = numbers.map((number, i) => `${number} ${fields[i]}`).join(' ');
  return negative ? negate(made) : made;
}

function fieldsBetween(from: string, to: string, span: Span): readonly string[] {
  const singular = (unit: string): string => unit.replace(/S$/, '');
  const first = FIELDS.findIndex((field) => field === singular(from));
  const last = FIELDS.findIndex((field) => field === singular(to));
  const crosses = first <= 1 && last > 1;
  if (first !== -1 && last > first && !crosses) return FIELDS.slice(first, last + 1);
  throw new StreamsqlError('SYNTAX', `there are no intervals of ${from} TO ${to}`, { span });
}

/** What stands between the numbers: a hyphen between year and month, a space after days, colons in a time. */
function separatorsOf(fields: readonly string[]): string {
  return fields
    .slice(0, -1)
    .map((field) => ({ YEAR: '-', DAY: ' ' })[field] ?? ':')
    .join('');
}

/** Each part of an interval has a sign of its own. */
const negate = (text: string): string =>
  text.replaceAll(
    /(-?)(?<![\w.])(\d|\.\d)/g,
    (_whole, sign: string, digit: string) => `${sign === '-' ? '' : '-'}${digit}`,
  );

function quoted(text: string, like: Token): Token {
  return { ...like, kind: 'string', text: literal(text).text, value: text, key: '' };
}
