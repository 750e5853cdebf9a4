/** A seeded stream of draws (mulberry32): the same on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  private next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** From `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + (this.next() % (most - least + 1));
  }

  /** True once in `n`. */
  oneIn(n: number): boolean {
    return this.int(1, n) === 1;
  }

  pick<T>(list: readonly T[]): T {
    const chosen = list[this.int(0, list.length - 1)];
    if (chosen === undefined) throw new Error('nothing to pick from');
    return chosen;
  }

  maybe<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : this.pick(list);
  }

  weighted<T>(choices: readonly (readonly [weight: number, value: T])[]): T {
    let draw = this.int(1, choices.reduce((sum, [weight]) => sum + weight, 0)); // prettier-ignore
    for (const [weight, value] of choices) {
      draw -= weight;
      if (draw <= 0) return value;
    }
    throw new Error('nothing to choose from');
  }

  some<T>(list: readonly T[], least: number, most: number): readonly T[] {
    const left = [...list];
    const taken: T[] = [];
    const count = Math.min(left.length, this.int(least, most));
    while (taken.length < count) taken.push(...left.splice(this.int(0, left.length - 1), 1));
    return taken;
  }
}
