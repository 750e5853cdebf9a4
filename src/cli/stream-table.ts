import type { ResultTable } from '../base/run.ts';
import { cellText, isNumeric } from './cell.ts';
import { columnWidths, gridLine } from './grid.ts';
import { printable } from './printable.ts';

/** So that numbers may grow a while without leaving their column. */
const NUMBER_WIDTH = 8;

/**
 * Rows that keep coming, an epoch at a time: the header stands once, and again when another sink has written between.
 * Columns only grow, so later rows stay in line with earlier ones as far as they can.
 */
export class StreamTables {
  private readonly widths = new Map<string, number[]>();
  private last: string | undefined;

  /** The text for `rows` of `sink`, which ends in a line feed. */
  text(sink: string, { columns, rows }: ResultTable): string {
    if (rows.length === 0) return '';
    const header = columns.map(({ name }) => printable(name));
    const cells = rows.map((row) => columns.map(({ type }, i) => cellText(row[i], type)));
    const before = this.widths.get(sink) ?? [];
    const widths = columnWidths([header, ...cells], columns.length).map((width, i) =>
      Math.max(width, before[i] ?? (isNumeric(columns[i]?.type ?? '') ? NUMBER_WIDTH : 0)),
    );
    this.widths.set(sink, widths);
    const right = columns.map(({ type }) => isNumeric(type));
    const lines = cells.map((line) => gridLine(line, widths, right));
    if (this.last !== sink) {
      const rule = widths.map((width) => '-'.repeat(width + 2)).join('+');
      lines.unshift(`${printable(sink)}:`, gridLine(header, widths, right), rule);
      this.last = sink;
    }
    return `${lines.join('\n')}\n`;
  }
}
