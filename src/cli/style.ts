import type { Io, Output } from './io.ts';

/** Puts colour around text, or leaves it as it is. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  green(text: string): string;
}

const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    `\x1b[${on}m${text}\x1b[${off}m`;

const COLOURS: Style = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  yellow: sgr(33, 39),
  green: sgr(32, 39),
};

const same = (text: string): string => text;
const PLAIN: Style = { bold: same, dim: same, red: same, yellow: same, green: same };

/** Colours only on a terminal that has them, and not where NO_COLOR (https://no-color.org) is set. */
export function styleFor(output: Output, env: Io['env']): Style {
  const refused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return output.isTTY && !refused ? COLOURS : PLAIN;
}

/** Whether a line of it can be drawn over. */
export function canRedraw(output: Output, env: Io['env']): boolean {
  return output.isTTY && env['TERM'] !== 'dumb';
}
