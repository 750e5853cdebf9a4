import { canRedraw } from '../cli/style.ts';
import type { Io, Output } from '../cli/io.ts';

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
    this.output.write(`${up}\r\x1b[J${text}`);
    this.lines = text.split('\n').length - 1;
  }

  /** What was drawn last stays. */
  end(): void {
    if (!this.redraws && this.last !== undefined) this.output.write(this.last);
  }
}
