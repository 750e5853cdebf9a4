import type { TableChange } from '../planner/table-service.ts';

/** A script of changes on its way to its epoch. */
export interface QueuedScript {
  readonly changes: readonly TableChange[];
  /** The file has them from now on. */
  readonly kept: boolean;
  /** Its epoch is committed. */
  done(): void;
  /** It changed nothing. */
  failed(error: unknown): void;
}

/** Changes that come while the stream runs. Each script is part of one epoch, and whoever sent it hears what became of it. */
export class ChangeQueue {
  private waiting: QueuedScript[] = [];
  private readonly underWay = new Set<QueuedScript>();
  private arrived: () => void = () => undefined;
  private closed: unknown;

  /** Resolves when the epoch that the changes are part of is committed; rejects when they fail, or the run does. */
  add(changes: readonly TableChange[], kept = false): Promise<void> {
    if (this.closed !== undefined) return Promise.reject(this.closed as Error);
    return new Promise((resolve, reject) => {
      const script: QueuedScript = {
        changes,
        kept,
        done: () => (this.underWay.delete(script), resolve()),
        failed: (error) => (this.underWay.delete(script), reject(error as Error)),
      };
      this.waiting.push(script);
      this.arrived();
    });
  }

  get pending(): boolean {
    return this.waiting.length > 0;
  }

  /** Resolves when something waits; for one who asks again and again, so that what was asked before is let go of. */
  arrival(): Promise<void> {
    return this.pending ? Promise.resolve() : new Promise((resolve) => (this.arrived = resolve));
  }

  /** All that waits, for an epoch to take; the taker calls `done` or `failed` of each. */
  take(): readonly QueuedScript[] {
    const taken = this.waiting;
    this.waiting = [];
    for (const script of taken) this.underWay.add(script);
    return taken;
  }

  /** The run is over: whatever is not committed fails with this, and whatever comes. */
  close(error: unknown): void {
    this.closed = error;
    for (const script of [...this.waiting, ...this.underWay]) script.failed(error);
    this.waiting = [];
  }
}
