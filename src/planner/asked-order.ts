import { tokenize } from '../parser/tokens.ts';

/** What ends the ORDER BY of a query. */
const AFTER: ReadonlySet<string> = new Set(['LIMIT', 'OFFSET', 'FETCH', 'EMIT', 'USING']);

/**
 * The ORDER BY of a query of so many columns, of which the rows are in a table by now: rows that tie are in the order of their columns.
 * As it is written, and without the relations that it names; nothing where it has none. It may name what the table does not have.
 */
export function askedOrders(query: string, columns: number): readonly string[] {
  const order = orderOf(query);
  if (order === undefined) return [];
  const tokens = tokenize(order);
  const isRelation = (i: number): boolean =>
    tokens[i + 1]?.key === '.' && /^(?:word|quoted)$/.test(tokens[i]?.kind ?? '');
  const bare = tokens.filter((_, i) => !isRelation(i) && !isRelation(i - 1)).map(({ text }) => text).join(' '); // prettier-ignore
  const all = Array.from({ length: columns }, (_, i) => String(i + 1));
  return [order, bare].map((each) => (/^ALL\b/i.test(each) ? each : [each, ...all].join(', ')));
}

function orderOf(query: string): string | undefined {
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
  return begin === undefined ? undefined : query.slice(begin, end).trim();
}
