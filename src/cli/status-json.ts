import type { Status } from './status.ts';
import { instant } from './units.ts';

/** A status as one line of JSON; instants as text, names as in the lines of `run --json`. */
export function statusJson(status: Status): string {
  const [running, of] = 'running' in status ? [true, status.running] : [false, status.rest];
  return `${JSON.stringify({ running, ...(named(of) as object) })}\n`;
}

/** Members that hold microseconds as text. */
const INSTANTS: ReadonlySet<string> = new Set([
  'watermark',
  'latest',
  'start',
  'end',
  'closesAt',
  'since',
  'committedAt',
]);

function named(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return INSTANTS.has(key) && /^-?\d+$/.test(value) ? instant(BigInt(value)) : value;
  if (Array.isArray(value)) return value.map((each) => named(each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snake(name), named(inner, name)]));
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
