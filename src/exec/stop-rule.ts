import type { RunOptions } from '../base/run.ts';

/** When a run that was not told to stop stops. Its signal aborts then, and when that of the caller does. */
export class StopRule {
  private readonly rule: NonNullable<RunOptions['stopAfter']>;
  private readonly own = new AbortController();
  private readonly timer: NodeJS.Timeout | undefined;
  private epochs = 0;
  private rows = 0;
  readonly signal: AbortSignal;

  constructor(rule: NonNullable<RunOptions['stopAfter']>, outer: AbortSignal | undefined) {
    this.rule = rule;
    this.signal = outer === undefined ? this.own.signal : AbortSignal.any([outer, this.own.signal]);
    if (rule.ms !== undefined) this.timer = setTimeout(() => this.own.abort(), rule.ms);
  }

  /** As much is done as was asked for: what has been read ahead stays for the next run. */
  get reached(): boolean {
    return this.own.signal.aborted;
  }

  /** An epoch is committed, with so many rows. */
  done(rows: number): void {
    this.epochs++;
    this.rows += rows;
    const { rule } = this;
    const enough =
      (rule.epochs !== undefined && this.epochs >= rule.epochs) || (rule.rows !== undefined && this.rows >= rule.rows);
    if (enough) this.own.abort();
  }

  end(): void {
    clearTimeout(this.timer);
  }
}
