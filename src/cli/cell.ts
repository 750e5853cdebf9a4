import type { Column } from '../base/schema.ts';
import { printable } from './printable.ts';

/** What a cell shows: NULL as `NULL`, lists and structs as JSON, and nothing a terminal obeys. */
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
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return jsonText(value, type);
}

const bigintsAsText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
