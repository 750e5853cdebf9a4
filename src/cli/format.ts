import { unreachable } from '../base/errors.ts';
import type { ResultTable } from '../base/run.ts';
import { cellText, isNumeric, jsonText, keysOf, rawText } from './cell.ts';
import { gridTable } from './grid.ts';
import type { Output } from './io.ts';
import { printable } from './printable.ts';
import { displayWidth, padStart } from './width.ts';

export const FORMATS = ['table', 'csv', 'json', 'markdown', 'line'] as const;
export type Format = (typeof FORMATS)[number];

/** On a terminal longer tables end in "… N more rows"; a file or a pipe gets them whole. */
const TERMINAL_ROWS = 200;

/** The table as text that ends in a line feed, cut and escaped to suit where it goes. */
export function formatTable(table: ResultTable, format: Format, to: Pick<Output, 'isTTY' | 'columns'>): string {
  switch (format) {
    case 'table':
      return gridTable(table, to.isTTY ? { maxRows: TERMINAL_ROWS, maxWidth: to.columns } : {});
    case 'csv':
      return csv(table, to.isTTY);
    case 'json':
      return json(table, to.isTTY);
    case 'markdown':
      return markdown(table);
    case 'line':
      return lines(table);
    default:
      return unreachable(format);
  }
}

/** RFC 4180 with a header and line feeds; NULL is an empty field, an empty text `""`. */
function csv({ columns, rows }: ResultTable, onTerminal: boolean): string {
  const field = (text: string | undefined): string => {
    if (text === undefined) return '';
    const shown = onTerminal ? printable(text) : text;
    return shown === '' || /[",\r\n]/.test(shown) || shown.trim() !== shown
      ? `"${shown.replaceAll('"', '""')}"`
      : shown;
  };
  const header = columns.map(({ name }) => field(name)).join(',');
  const body = rows.map((row) => columns.map(({ type }, i) => field(rawText(row[i], type))).join(','));
  return `${[header, ...body].join('\n')}\n`;
}

/** One array, one object a line. */
function json({ columns, rows }: ResultTable, onTerminal: boolean): string {
  const keys = keysOf(columns).map((key) => JSON.stringify(key));
  const objects = rows.map(
    (row) => `{${keys.map((key, i) => `${key}:${jsonText(row[i], columns[i]?.type ?? '')}`).join(',')}}`,
  );
  const text = `[${objects.join(',\n')}]`;
  return `${onTerminal ? escapedJson(text) : text}\n`;
}

/** The same JSON, in which what JSON.stringify leaves raw (C1 controls, direction marks) is escaped too. */
export function escapedJson(text: string): string {
  return text.replace(/[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function markdown({ columns, rows }: ResultTable): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('\\', '\\\\').replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = columns.map(({ type }) => (isNumeric(type) ? '---:' : '---'));
  return `${[
    line(columns.map(({ name }) => printable(name))),
    `| ${rule.join(' | ')} |`,
    ...rows.map((row) => line(columns.map(({ type }, i) => cellText(row[i], type)))),
  ].join('\n')}\n`;
}

/** A line a column, `name = value`, and a blank line between rows. */
function lines({ columns, rows }: ResultTable): string {
  const names = columns.map(({ name }) => printable(name));
  const width = Math.max(0, ...names.map(displayWidth));
  const blocks = rows.map((row) =>
    columns.map(({ type }, i) => `${padStart(names[i] ?? '', width)} = ${cellText(row[i], type)}\n`).join(''),
  );
  return blocks.join('\n');
}
