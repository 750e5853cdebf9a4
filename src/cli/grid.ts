import type { ResultTable } from '../base/run.ts';
import { cellText, isNumeric } from './cell.ts';
import { printable } from './printable.ts';
import { counted } from './units.ts';
import { displayWidth, padEnd, padStart, truncate } from './width.ts';

export interface GridLimits {
  readonly maxRows?: number;
  /** Of a line, in columns of the terminal: columns of text are cut to reach it, as far as they still say something. */
  readonly maxWidth?: number;
}

/** A table as psql draws it: names, a rule, rows, and how many there are. */
export function gridTable({ columns, rows }: ResultTable, limits: GridLimits = {}): string {
  const shown = rows.slice(0, limits.maxRows ?? rows.length);
  const right = columns.map(({ type }) => isNumeric(type));
  const header = columns.map(({ name }) => printable(name));
  const cells = shown.map((row) => columns.map(({ type }, i) => cellText(row[i], type)));
  const widths = fit(columnWidths([header, ...cells], columns.length), right, limits.maxWidth);
  const line = (texts: readonly string[]): string => gridLine(texts, widths, right);
  const body = [line(header), widths.map((width) => '-'.repeat(width + 2)).join('+'), ...cells.map(line)];
  const hidden = rows.length - shown.length;
  if (hidden > 0) body.push(`… ${counted(hidden, 'more row')} (a file or a pipe gets all of them)`);
  return `${body.join('\n')}\n(${counted(rows.length, 'row')})\n`;
}

/** One line of cells; numbers stand at the right. */
export function gridLine(texts: readonly string[], widths: readonly number[], right: readonly boolean[]): string {
  return texts
    .map((text, i) => {
      const width = widths[i] ?? 0;
      const cut = truncate(text, width);
      return ` ${right[i] === true ? padStart(cut, width) : padEnd(cut, width)} `;
    })
    .join('|')
    .trimEnd();
}

/** What each column needs. */
export function columnWidths(lines: readonly (readonly string[])[], columns: number): number[] {
  const widths = Array.from({ length: columns }, () => 0);
  for (const line of lines) {
    for (let i = 0; i < columns; i++) widths[i] = Math.max(widths[i] ?? 0, displayWidth(line[i] ?? ''));
  }
  return widths;
}

const LEAST_WIDTH = 12;

/** Narrows the widest columns of text until a line has `maxWidth`; a number is never cut, it would read as another. */
function fit(widths: readonly number[], numeric: readonly boolean[], maxWidth = Infinity): readonly number[] {
  const fitted = [...widths];
  for (;;) {
    const over = fitted.reduce((sum, width) => sum + width + 3, -1) - maxWidth;
    const texts = fitted.map((width, i) => (numeric[i] === true ? 0 : width));
    const widest = texts.indexOf(Math.max(...texts));
    const width = texts[widest] ?? 0;
    if (over <= 0 || width <= LEAST_WIDTH) return fitted;
    const second = Math.max(...texts.filter((_, i) => i !== widest), 0);
    fitted[widest] = Math.max(width - over, Math.min(second, width - 1), LEAST_WIDTH);
  }
}
