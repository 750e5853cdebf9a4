import { tokenize } from '../parser/tokens.ts';

/** What ends the ORDER BY of a query. */
const AFTER: ReadonlySet<string> = new Set(['LIMIT', 'OFFSET', 'FETCH', 'EMIT', 'USING']);

/**
 * The ORDER BY of a query of so many columns, of which the rows are in a table by now: rows that tie are in the order of their columns.
 * Undefined where it has none. It may name what the table does not have.
 */
export function askedOrder(query: string, columns: number): string | undefined {
  const tokens = tokenize(query);
  let depth = 0;
  let begin: number | undefined;
  let end: number | undefined;
  for (const [i, { key, span }] of tokens.entries()) {
    if (key === '(' || key === '[' || key === '{') depth++;
    else if (key === ')' || key === ']' || key === '}') depth--;
    if (depth !== 0) continue;
    if (key === 'ORDER' && tokens[i + 1]?.key === 'BY') [begin, end] = [tokens[i + 1]?.span.end, undefined];
    else if (begin !== undefined && end === undefined && AFTER.has(key)) end = span.start;
  }
  if (begin === undefined) return undefined;
  const order = query.slice(begin, end).trim();
  if (/^ALL\b/i.test(order)) return order;
  return [order, ...Array.from({ length: columns }, (_, i) => String(i + 1))].join(', ');
}
