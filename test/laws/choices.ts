/**
 * Decisions read off a list of numbers: 0, also where the list has ended, is the simplest choice. fast-check shrinks the
 * list, and what was made from it becomes simpler.
 */
export class Choices {
  private readonly numbers: readonly number[];
  private at = 0;

  constructor(numbers: readonly number[]) {
    this.numbers = numbers;
  }

  /** 0 … below - 1 */
  upTo(below: number): number {
    return (this.numbers[this.at++] ?? 0) % below;
  }

  pick<T>(first: T, ...others: readonly T[]): T {
    return [first, ...others][this.upTo(others.length + 1)] ?? first;
  }

  /** One of a list that is not empty. */
  of<T>(list: readonly T[]): T {
    const [first, ...others] = list;
    if (first === undefined) throw new Error('nothing to choose from');
    return this.pick(first, ...others);
  }

  /** True one time in `n`; false is the simpler. */
  rarely(n: number): boolean {
    return this.upTo(n) === n - 1;
  }
}
