/** Colours of the report; none of them where it does not go to a terminal. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    `\x1b[${on}m${text}\x1b[${off}m`;

const COLOURS: Paint = { bold: sgr(1, 22), dim: sgr(2, 22), red: sgr(31, 39), green: sgr(32, 39) };
const same = (text: string): string => text;
const PLAIN: Paint = { bold: same, dim: same, red: same, green: same };

export const paint = (color: boolean): Paint => (color ? COLOURS : PLAIN);
