/** Without an answer for so long a source is out of reach, microseconds. */
const OUTAGE = 5_000_000n;

/** When a source said last where a partition ends, by the engine's clock. */
export class Answers {
  /** The end is at least as new as this. */
  told = 0n;
  private count: number | undefined;
  private seenAt: bigint | undefined;
  private heardAt: bigint | undefined;
  /** The source is out of reach. */
  away = false;
  private backAt = 0n;

  /** `count`: answers so far; undefined where the end is always as of now. `away`: the source says itself whether it, or what is there, is out of reach. */
  see(count: number | undefined, now: bigint, away?: boolean): void {
    if (count === undefined) {
      this.told = now;
      return;
    }
    const before = this.seenAt;
    this.seenAt = now;
    this.heardAt ??= now;
    if (away === true) this.away = true;
    else if (before === undefined) this.count = count;
    else if (this.count !== count) {
      if (this.away) this.backAt = now;
      this.away = false;
      this.count = count;
      this.heardAt = now;
      // It came after the last look, no more is known.
      if (before > this.told) this.told = before;
    } else if (away === undefined && now - this.heardAt >= OUTAGE) this.away = true;
  }

  /** From when on nothing new says something: what was written during an outage may still come. */
  since(activeAt: bigint): bigint {
    return this.backAt > activeAt ? this.backAt : activeAt;
  }
}
