import type { Spread } from './statistics.ts';

/** A target of the project, and whether this run reached it. */
export interface Target {
  readonly text: string;
  readonly reached: boolean;
}

/** What one case gave. */
export interface Line {
  readonly name: string;
  /** Events a second. */
  readonly rate?: Spread;
  readonly peakMb?: number;
  /** The engine's rate as a share of DuckDB's over the whole input at once, pair by pair. */
  readonly ofDuckdb?: Spread;
  /** The same of the prototype's. */
  readonly ofPrototype?: Spread;
  readonly cpuSeconds?: number;
  readonly note?: string;
  readonly targets: readonly Target[];
  /** Why the answer is wrong, or none came. */
  readonly wrong?: string;
  readonly skipped?: string;
}

const WIDTHS = [22, 10, 9, 7, 20, 20] as const;

const row = (cells: readonly string[]): string =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[0]) : cell.padStart(WIDTHS[i] ?? 0))).join(' ');

export const HEADER = `${row(['case', 'M ev/s', 'peak MB', 'CPU s', 'of DuckDB (min–max)', 'of prototype'])}  target`;

const ratio = (spread: Spread | undefined): string =>
  spread === undefined
    ? '–'
    : spread.min === spread.max
      ? spread.median.toFixed(2)
      : `${spread.median.toFixed(2)} (${spread.min.toFixed(2)}–${spread.max.toFixed(2)})`;

export function render(line: Line): string {
  if (line.skipped !== undefined) return `${line.name.padEnd(WIDTHS[0])} skipped: ${line.skipped}`;
  if (line.wrong !== undefined) return `${line.name.padEnd(WIDTHS[0])} WRONG: ${line.wrong}`;
  const targets = line.targets.map((target) => `${target.reached ? 'ok' : 'BELOW'}: ${target.text}`).join('; ');
  if (line.note !== undefined) return `${line.name.padEnd(WIDTHS[0])} ${line.note}  ${targets}`.trimEnd();
  return `${row([
    line.name,
    line.rate === undefined ? '–' : (line.rate.median / 1e6).toFixed(line.rate.median < 1e5 ? 3 : 2),
    line.peakMb === undefined ? '–' : line.peakMb.toFixed(0),
    line.cpuSeconds === undefined ? '–' : line.cpuSeconds.toFixed(1),
    ratio(line.ofDuckdb),
    ratio(line.ofPrototype),
  ])}  ${targets}`.trimEnd();
}
