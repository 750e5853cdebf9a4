import type { Chunk } from '../base/connector.ts';

/** Holds a reader's poll back until it is let pass. */
export class Turnstile {
  private passing: ((chunks: readonly Chunk[]) => void) | undefined;
  private arrived: (() => void) | undefined;
  private closed = false;

  /** What `poll` returns: resolves when it is let pass. */
  wait(): Promise<readonly Chunk[]> {
    if (this.closed) return Promise.resolve([]);
    return new Promise((resolve) => {
      this.passing = resolve;
      this.arrived?.();
      this.arrived = undefined;
    });
  }

  /** Resolves when a poll waits. */
  occupied(): Promise<void> {
    if (this.closed || this.passing !== undefined) return Promise.resolve();
    return new Promise((resolve) => (this.arrived = resolve));
  }

  pass(chunks: readonly Chunk[]): void {
    const passing = this.passing;
    this.passing = undefined;
    passing?.(chunks);
  }

  /** Holds nothing back from here on. */
  shut(): void {
    this.closed = true;
    this.pass([]);
    this.arrived?.();
    this.arrived = undefined;
  }
}
