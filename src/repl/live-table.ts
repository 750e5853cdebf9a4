import { canRedraw } from '../cli/style.ts';
import type { Io, Output } from '../cli/io.ts';
import { counted } from '../cli/units.ts';
import { truncate } from '../cli/width.ts';

const LEAST_MS = 150;

/** A text of some lines that is drawn over as it changes. Where nothing can be drawn over only the last one is written. */
export class LiveTable {
  private readonly output: Output;
  private readonly redraws: boolean;
  private readonly now: () => number;
  private lines = 0;
  private drawnAt = -Infinity;
  private last: string | undefined;

  constructor(output: Output, env: Io['env'], now: () => number) {
    this.output = output;
    this.redraws = canRedraw(output, env);
    this.now = now;
  }

  /** Whether a drawing is due. */
  get due(): boolean {
    return this.redraws && this.now() - this.drawnAt >= LEAST_MS;
  }

  draw(text: string): void {
    this.last = text;
    this.drawnAt = this.now();
    if (!this.redraws) return;
    const up = this.lines === 0 ? '' : `\x1b[${this.lines}A`;
    const fitted = this.fitted(text);
    // Line by line: a terminal whose whole screen is cleared may keep each picture in what it scrolls back to.
    this.output.write(`${up}\r${fitted.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    this.lines = fitted.length;
  }

  /** What is drawn over may neither wrap nor be taller than the terminal. */
  private fitted(text: string): readonly string[] {
    const { columns, rows = Infinity } = this.output;
    const lines = text.replace(/\n$/, '').split('\n');
    const most = Math.max(2, rows - 1);
    const shown = lines.length > most ? [...lines.slice(0, most - 1), `… ${counted(lines.length - most + 1, 'more line')}`] : lines; // prettier-ignore
    return shown.map((line) => truncate(line, columns));
  }

  /** What was drawn last stays. */
  end(): void {
    if (!this.redraws && this.last !== undefined) this.output.write(this.last);
  }
}
