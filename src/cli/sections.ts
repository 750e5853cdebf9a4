import { unreachable } from '../base/errors.ts';
import type { ResultTable } from '../base/run.ts';
import { formatTable, type Format } from './format.ts';
import type { Io } from './io.ts';
import { printable } from './printable.ts';
import { styleFor } from './style.ts';

/** One of the tables that a command prints. */
export interface Section {
  readonly name: string;
  /** What people are told beside the name. */
  readonly note?: string;
  readonly table: ResultTable;
}

/** Tables under their names; as JSON one object with a list for each. */
export function sectionsText(sections: readonly Section[], format: Format, io: Io): string {
  if (format === 'json') {
    const lists = sections.map(({ name, table }) => {
      return `${JSON.stringify(name)}: ${formatTable(table, format, io.stdout).trimEnd()}`;
    });
    return `{${lists.join(',\n')}}\n`;
  }
  const style = styleFor(io.stdout, io.env);
  const texts = sections.map(({ name, note, table }) => {
    const title = printable(note === undefined ? name : `${name}: ${note}`);
    return `${heading(title, format, (text) => style.bold(text))}\n${formatTable(table, format, io.stdout)}`;
  });
  return texts.join('\n');
}

function heading(title: string, format: Exclude<Format, 'json'>, bold: (text: string) => string): string {
  switch (format) {
    case 'table':
    case 'line':
      return bold(title);
    case 'csv':
      return `# ${title}`;
    case 'markdown':
      return `### ${title}\n`;
    default:
      return unreachable(format);
  }
}
