import type { OperatorDelta, ResultTable, RunControl, ViewWatcher } from '../base/run.ts';

/** What a run does is decided here from outside: which sources it leaves alone, and single epochs by hand. */
export class HandControl implements RunControl {
  private readonly sources = new Set<string>();
  private all = false;
  private step: { resolve(deltas: readonly OperatorDelta[]): void } | undefined;
  private wake: () => void = () => undefined;
  private readonly lookers = new Map<string, Set<(changes: ResultTable) => void>>();

  readonly watcher: ViewWatcher = {
    watches: (view) => this.lookers.has(view),
    changed: (view, changes) => this.lookers.get(view)?.forEach((looker) => looker(changes)),
  };

  /** Calls back with what each epoch changes in a view; returns how to stop that. */
  watch(view: string, looker: (changes: ResultTable) => void): () => void {
    const lookers = this.lookers.get(view) ?? new Set();
    this.lookers.set(view, lookers.add(looker));
    return () => {
      lookers.delete(looker);
      if (lookers.size === 0) this.lookers.delete(view);
    };
  }

  /** Leaves these sources alone, or, without names, everything. */
  pause(sources?: readonly string[]): void {
    if (sources === undefined) this.all = true;
    else for (const source of sources) this.sources.add(source.toLowerCase());
    this.wake();
  }

  /** Goes on with these sources, or, without names, with everything. */
  resume(sources?: readonly string[]): void {
    if (sources === undefined) this.sources.clear();
    else for (const source of sources) this.sources.delete(source.toLowerCase());
    this.all = false;
    this.wake();
  }

  /** Everything was left alone, and not by name. */
  get standsStill(): boolean {
    return this.all;
  }

  get holds(): boolean {
    return this.all && this.step === undefined;
  }

  isPaused(source: string): boolean {
    return this.holds || (this.step === undefined && this.sources.has(source.toLowerCase()));
  }

  /** Does one epoch of what comes next, and stands still again. What each operator gave in it; nothing where none came. */
  stepOnce(): Promise<readonly OperatorDelta[]> {
    this.all = true;
    return new Promise((resolve) => {
      this.step = { resolve };
      this.wake();
    });
  }

  /** Waits no longer for the input of a step. */
  giveUp(): void {
    this.stepped([]);
    this.wake();
  }

  get stepping(): boolean {
    return this.step !== undefined;
  }

  stepped(deltas: readonly OperatorDelta[]): void {
    const { step } = this;
    this.step = undefined;
    step?.resolve(deltas);
  }

  changed(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }
}
