import type { Output } from './io.ts';

const LEAST_MS = 100;

/**
 * One line at the bottom of a terminal that is drawn over, at most ten times a second. Whoever writes anything else to
 * the same terminal clears it first.
 */
export class LiveLine {
  private readonly output: Output;
  private readonly now: () => number;
  private drawnAt = -Infinity;
  private visible = false;

  constructor(output: Output, now: () => number) {
    this.output = output;
    this.now = now;
  }

  /** Draws what `text` gives for the terminal's width, unless the last drawing was only just now. */
  draw(text: (columns: number) => string): void {
    if (this.now() - this.drawnAt < LEAST_MS) return;
    this.drawnAt = this.now();
    this.output.write(`\r${text(this.output.columns)}\x1b[K`);
    this.visible = true;
  }

  /** Takes the line away; the next `draw` is not held up by the one before. */
  clear(): void {
    if (!this.visible) return;
    this.output.write('\r\x1b[K');
    this.visible = false;
    this.drawnAt = -Infinity;
  }
}
