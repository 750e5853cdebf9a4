/** A table as text: what an EXPECT compares and what `--update` writes. */
export interface TextTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A value as DuckDB prints it; in quotes where it would not be read back as it is. */
export function cellText(value: string | null): string {
  if (value === null) return 'NULL';
  const plain =
    value !== '' && value === value.trim() && value !== 'NULL' && !/^'|\|/.test(value) && !CONTROL.test(value);
  if (plain) return value;
  const escaped = value.replaceAll("'", "''");
  if (!CONTROL.test(escaped)) return `'${escaped}'`;
  const inner = escaped.replaceAll('\\', '\\\\').replaceAll(new RegExp(CONTROL, 'gu'), escapeOf);
  return `E'${inner}'`;
}

/** What a terminal or a reader would not take as text. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const escapeOf = (character: string): string =>
  ESCAPES[character] ?? `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;

/** `a | b` lines with aligned columns: the header, then the rows. Numbers stand to the right. */
export function tableLines(table: TextTable): readonly string[] {
  const all = [table.header, ...table.rows];
  const widths = table.header.map((_, i) => Math.max(...all.map((cells) => widthOf(cells[i] ?? ''))));
  const numeric = table.header.map(
    (_, i) => table.rows.length > 0 && table.rows.every((cells) => isNumber(cells[i] ?? '') || cells[i] === 'NULL'),
  );
  return all.map((cells) =>
    cells
      .map((cell, i) => {
        const fill = ' '.repeat((widths[i] ?? 0) - widthOf(cell));
        return numeric[i] === true ? fill + cell : cell + fill;
      })
      .join(' | ')
      .trimEnd(),
  );
}

const widthOf = (text: string): number => Array.from(text).length;

/** Reads what `tableLines` writes, however its columns are aligned. */
export function readTable(lines: readonly string[]): TextTable {
  const [header = [], ...rows] = lines.map(cellsOf);
  return { header, rows };
}

function cellsOf(line: string): readonly string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (const character of line) {
    if (character === "'" && (quoted || /^\s*E?$/.test(cell))) quoted = !quoted;
    else if (character === "'" && /^\s*E?'.*'$/.test(cell)) quoted = true;
    if (character === '|' && !quoted) {
      cells.push(cell.trim());
      cell = '';
    } else cell += character;
  }
  return [...cells, cell.trim()];
}

const isNumber = (text: string): boolean => /^-?\d+(\.\d+)?(e[+-]?\d+)?$|^-?inf$|^nan$/i.test(text);

/** Rows in an order of their own, so that those of a query without ORDER BY can be compared and read. */
export const sortRows = (rows: TextTable['rows']): TextTable['rows'] => [...rows].sort(compareRows);

function compareRows(a: readonly string[], b: readonly string[]): number {
  for (const [i, cell] of a.entries()) {
    const other = b[i] ?? '';
    if (cell === other) continue;
    const [x, y] = [numberOf(cell), numberOf(other)];
    if (x !== undefined && y !== undefined && x !== y) return x < y ? -1 : 1;
    return cell < other ? -1 : 1;
  }
  return 0;
}

/** As DuckDB prints and orders it: NaN is greater than all others. */
function numberOf(text: string): number | undefined {
  if (!isNumber(text)) return undefined;
  if (/^nan$/i.test(text)) return Number.MAX_VALUE;
  if (/inf$/i.test(text)) return text.startsWith('-') ? -Number.MAX_VALUE : 1e308;
  return Number(text);
}

export const sameRow = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((cell, i) => sameCell(cell, b[i] ?? ''));

/** Doubles differ in their last digits with the order of their sums; nothing that prints fewer than 15 digits does. */
const DOUBLE_DIGITS = 15;
const RELATIVE_ERROR = 1e-12;

function sameCell(a: string, b: string): boolean {
  if (a === b) return true;
  if (!isLongDouble(a) && !isLongDouble(b)) return false;
  if (!isNumber(a) || !isNumber(b)) return false;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= RELATIVE_ERROR * Math.max(Math.abs(x), Math.abs(y));
}

const isLongDouble = (text: string): boolean =>
  /^-?\d+\.\d+(e[+-]?\d+)?$/i.test(text) && text.replace(/e.*$/i, '').replaceAll(/\D/g, '').length >= DOUBLE_DIGITS;
