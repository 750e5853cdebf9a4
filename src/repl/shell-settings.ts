import type { ResultTable } from '../base/run.ts';
import { FORMATS, formatTable, type Format } from '../cli/format.ts';
import { gridTable } from '../cli/grid.ts';
import type { Output } from '../cli/io.ts';

export const MODES = [...FORMATS, 'changelog'] as const;
export type Mode = (typeof MODES)[number];

/** What `.mode`, `.maxrows`, `.timer` and `.output` set. */
export interface ShellSettings {
  mode: Mode;
  maxRows: number;
  timer: boolean;
  /** Results go into this file; to the terminal where absent. */
  output: string | undefined;
}

export const defaultSettings = (): ShellSettings => ({ mode: 'table', maxRows: 40, timer: false, output: undefined });

/** How rows of a result are printed: a changelog is only of rows that keep coming. */
export const formatOf = ({ mode }: ShellSettings): Format => (mode === 'changelog' ? 'table' : mode);

/** All rows of a result. On a terminal wide columns of text are cut, and nothing in them steers it. */
export function resultText(table: ResultTable, settings: ShellSettings, output: Output): string {
  const format = formatOf(settings);
  if (format === 'table') return gridTable(table, output.isTTY ? { maxWidth: output.columns } : {});
  return formatTable(table, format, output);
}
