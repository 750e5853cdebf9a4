import type { ResultTable, RunEvent } from '../engine.ts';
import { sameName } from '../base/schema.ts';
import type { Found } from './compare.ts';
import { cellText } from './expected-table.ts';

/** Collects what print sinks show. */
export class Printed {
  private readonly tables = new Map<string, { columns: readonly string[]; rows: string[][] }>();

  heard(event: RunEvent): void {
    if (event.event !== 'rows') return;
    const { sink, table } = event;
    const known = this.tables.get(sink) ?? { columns: table.columns.map((column) => column.name), rows: [] };
    known.rows.push(...textRows(table));
    this.tables.set(sink, known);
  }

  /** All rows of a sink so far, or the one word `nothing`. */
  of(sink: string): Found {
    const found = [...this.tables].find(([name]) => sameName(name, sink))?.[1];
    if (found === undefined) return { kind: 'text', lines: ['nothing'] };
    return { kind: 'table', table: { header: found.columns, rows: [...found.rows] }, ordered: false };
  }
}

/** What SHOW, DESCRIBE or EXPLAIN says: a single text as its lines, anything else as a table. */
export function answerFound(table: ResultTable): Found {
  const [row] = table.rows;
  const only = table.rows.length === 1 && row?.length === 1 ? row[0] : undefined;
  if (typeof only === 'string' && only.includes('\n')) {
    return { kind: 'text', lines: only.split('\n').map((line) => line.trimEnd()) };
  }
  const header = table.columns.map((column) => column.name);
  return { kind: 'table', table: { header, rows: textRows(table) }, ordered: true };
}

function textRows(table: ResultTable): string[][] {
  return table.rows.map((row) =>
    row.map((value) => {
      if (value === null || value === undefined) return cellText(null);
      return cellText(typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean));
    }),
  );
}
