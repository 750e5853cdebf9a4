import { FORMATS, type Format } from '../cli/format.ts';

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
