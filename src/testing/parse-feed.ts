import { StreamsqlError, type Span } from '../base/errors.ts';
import type { Name } from '../parser/statements.ts';
import type { TokenCursor } from '../parser/token-cursor.ts';
import type { Token } from '../parser/tokens.ts';
import type { FedRecord, Step } from './test-file.ts';

/** The most partitions that a test gives a source. */
const MAX_PARTITION = 999;

/**
 * The rest of a FEED: `source [(column, …)] [PARTITION n] VALUES (…), (…)`, or
 * `source [PARTITION n] FORMAT json $$ one record a line $$`.
 */
export function readFeed(cursor: TokenCursor, text: string, span: Span): Step {
  const source = cursor.name('a source');
  const columns = readColumns(cursor);
  const partition = cursor.takes('PARTITION') ? readPartition(cursor) : 0;
  const feed = (records: readonly FedRecord[]): Step => ({
    kind: 'feed', source, columns, partition, records, span,
  }); // prettier-ignore
  if (cursor.takes('VALUES')) return feed(readRows(cursor, text));
  if (columns.length === 0 && cursor.takes('FORMAT')) {
    cursor.expect('JSON');
    return feed(readLines(cursor, text));
  }
  throw cursor.unexpected('VALUES, PARTITION or FORMAT', ['VALUES', 'PARTITION', 'FORMAT']);
}

function readColumns(cursor: TokenCursor): readonly Name[] {
  const columns: Name[] = [];
  if (!cursor.takes('(')) return columns;
  do columns.push(cursor.name('a column'));
  while (cursor.takes(','));
  cursor.expect(')', [',', ')']);
  return columns;
}

function readPartition(cursor: TokenCursor): number {
  const token = cursor.peek();
  const number = Number(token?.text);
  if (token?.kind === 'number' && Number.isInteger(number) && number <= MAX_PARTITION) {
    cursor.next();
    return number;
  }
  throw cursor.unexpected(`the number of a partition, 0 to ${MAX_PARTITION}`);
}

function readRows(cursor: TokenCursor, text: string): readonly FedRecord[] {
  const rows: FedRecord[] = [];
  do rows.push(readRow(cursor, text));
  while (cursor.takes(','));
  cursor.end();
  return rows;
}

function readRow(cursor: TokenCursor, text: string): FedRecord {
  const open = cursor.expect('(');
  const cells: string[] = [];
  let cell: Token[] = [];
  let depth = 0;
  for (;;) {
    const token = cursor.next();
    if (depth === 0 && (token.key === ',' || token.key === ')')) {
      const [first] = cell;
      if (first === undefined) {
        throw new StreamsqlError('SYNTAX', 'a value is missing', { span: token.span, hint: 'write NULL' });
      }
      cells.push(text.slice(first.span.start, cell.at(-1)?.span.end));
      cell = [];
      if (token.key === ')') return { kind: 'row', cells, span: { start: open.span.start, end: token.span.end } };
      continue;
    }
    if (token.kind === 'operator' && '([{'.includes(token.key)) depth++;
    if (token.kind === 'operator' && ')]}'.includes(token.key)) depth--;
    cell.push(token);
  }
}

/** The lines between the quotes; the first and the last, on which the quotes stand, only where something is on them. */
function readLines(cursor: TokenCursor, text: string): readonly FedRecord[] {
  const token = cursor.peek();
  if (token?.kind !== 'string') throw cursor.unexpected('the records between $$ and $$');
  cursor.next();
  cursor.end();
  const lines = token.value.split('\n');
  if (lines[0]?.trim() === '') lines.shift();
  if (lines.at(-1)?.trim() === '') lines.pop();
  let from = token.span.start;
  return lines.map((line) => {
    const found = text.indexOf(line, from);
    const start = found === -1 ? token.span.start : found;
    from = start + line.length;
    return { kind: 'json', line, span: { start, end: start + line.length } };
  });
}
