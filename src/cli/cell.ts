import type { Column } from '../base/schema.ts';
import { printable } from './printable.ts';

/** What a cell shows: NULL as `NULL`, lists and structs as JSON, an interval in words, and nothing a terminal obeys. */
export function cellText(value: unknown, type: string): string {
  return value === null || value === undefined ? 'NULL' : printable(plainText(value, type));
}

/** The value as text, as it is; undefined for NULL. */
export function rawText(value: unknown, type: string): string | undefined {
  return value === null || value === undefined ? undefined : plainText(value, type);
}

/** The value as JSON text. BIGINT, HUGEINT and DECIMAL become numbers with all their digits. */
export function jsonText(value: unknown, type: string): string {
  if (typeof value === 'string' && isNumeric(type) && JSON_NUMBER.test(value)) return value;
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value) && type.endsWith(']')) {
    const element = type.slice(0, type.lastIndexOf('['));
    return `[${value.map((item: unknown) => jsonText(item, element)).join(',')}]`;
  }
  if (type === 'INTERVAL' && isInterval(value)) return JSON.stringify(intervalText(value));
  return value === undefined ? 'null' : JSON.stringify(value, bigintsAsText);
}

export const isNumeric = (type: string): boolean =>
  /^(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM|FLOAT|DOUBLE|DECIMAL\(.*\))$/.test(type);

/** Names that are given twice get a number, as keys of an object must differ. */
export function keysOf(columns: readonly Column[]): readonly string[] {
  const taken = new Set<string>();
  return columns.map(({ name }) => {
    let key = name;
    for (let n = 1; taken.has(key); n++) key = `${name}:${n}`;
    taken.add(key);
    return key;
  });
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i;

function plainText(value: unknown, type: string): string {
  if (typeof value === 'string') return value;
  if (type === 'INTERVAL' && isInterval(value)) return intervalText(value);
  return typeof value === 'object' ? jsonText(value, type) : String(value);
}

const bigintsAsText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

interface Interval {
  readonly months: number;
  readonly days: number;
  readonly micros: string | number | bigint;
}

function isInterval(value: unknown): value is Interval {
  return typeof value === 'object' && value !== null && 'months' in value && 'days' in value && 'micros' in value;
}

/** As DuckDB writes it: `1 year 2 months 3 days 04:05:06.5`. */
function intervalText({ months, days, micros }: Interval): string {
  const parts = [
    unit(Math.trunc(months / 12), 'year'),
    unit(months % 12, 'month'),
    unit(days, 'day'),
    clock(BigInt(micros)),
  ].filter((part) => part !== '');
  return parts.length === 0 ? '00:00:00' : parts.join(' ');
}

const unit = (n: number, word: string): string => (n === 0 ? '' : `${n} ${word}${Math.abs(n) === 1 ? '' : 's'}`);

function clock(micros: bigint): string {
  if (micros === 0n) return '';
  const all = micros < 0n ? -micros : micros;
  const two = (n: bigint): string => String(n).padStart(2, '0');
  const fraction = all % 1_000_000n;
  const tail = fraction === 0n ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
  const seconds = all / 1_000_000n;
  return `${micros < 0n ? '-' : ''}${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${tail}`;
}
