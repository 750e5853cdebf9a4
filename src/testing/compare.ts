import { diff, type DiffLine } from './diff.ts';
import { readTable, sameRow, sortRows, tableLines, type TextTable } from './expected-table.ts';

/** What an EXPECT found. */
export type Found =
  | { readonly kind: 'table'; readonly table: TextTable; readonly ordered: boolean }
  | { readonly kind: 'text'; readonly lines: readonly string[] };

/** The lines that `--update` writes. */
export function foundLines(found: Found): readonly string[] {
  return found.kind === 'text' ? found.lines : tableLines(arranged(found.table, found.ordered));
}

/** The difference between an expected block and what was found; undefined where there is none. */
export function compare(expected: readonly string[], found: Found): readonly DiffLine[] | undefined {
  const lines =
    found.kind === 'text'
      ? diff(expected, found.lines, (a, b) => a === b).map(({ mark, item }) => ({ mark, text: item }))
      : compareTables(arranged(readTable(expected), found.ordered), arranged(found.table, found.ordered));
  return lines.every((line) => line.mark === ' ') ? undefined : lines;
}

const arranged = (table: TextTable, ordered: boolean): TextTable =>
  ordered ? table : { ...table, rows: sortRows(table.rows) };

function compareTables(expected: TextTable, actual: TextTable): readonly DiffLine[] {
  const sameHeader = sameRow(expected.header, actual.header);
  const rows = sameHeader
    ? [{ mark: ' ' as const, item: actual.header }, ...diff(expected.rows, actual.rows, sameRow)]
    : diff([expected.header, ...expected.rows], [actual.header, ...actual.rows], sameRow);
  const width = Math.max(...rows.map(({ item }) => item.length));
  const padded = rows.map(({ item }) => [...item, ...Array.from({ length: width - item.length }, () => '')]);
  const texts = tableLines({ header: padded[0] ?? [], rows: padded.slice(1) });
  return rows.map(({ mark }, i) => ({ mark, text: texts[i] ?? '' }));
}
