import type { Graph } from './graph.ts';

/** Processing-time windows close though nothing comes: an epoch at least so often, ms. */
const TICK_MS = 1000;

/** The engine's clock, and when it calls for an epoch though nothing comes. */
export class EngineClock {
  private readonly now: () => number;
  private readonly graph: Graph;
  private latest = 0n;
  /** When the last epoch began, ms. */
  private atEpoch = 0;

  /** `now`: ms since 1970. */
  constructor(now: () => number, graph: Graph) {
    this.now = now;
    this.graph = graph;
  }

  /** The engine's clock, microseconds; it never goes back. */
  micros(): bigint {
    const now = BigInt(this.now()) * 1000n;
    if (now > this.latest) this.latest = now;
    return this.latest;
  }

  /** It goes on from the clock of an epoch that is done. */
  atLeast(micros: bigint): void {
    if (micros > this.latest) this.latest = micros;
  }

  epochBegins(): void {
    this.atEpoch = this.now();
  }

  /** Whether an epoch is due: rows wait for a moment that has come, or a processing-time window may close. */
  due(): boolean {
    const now = BigInt(this.now()) * 1000n;
    const turns = this.graph.operators.some((operator) => {
      const due = operator.due?.();
      return due !== undefined && due <= now;
    });
    if (turns) return true;
    const processing = this.graph.operators.some(
      (operator) => operator.node.kind === 'aggregate' && operator.node.close?.clock === 'processing',
    );
    return processing && this.now() - this.atEpoch >= TICK_MS;
  }

  /** Whether it may ever call for an epoch at a certain time. */
  get turns(): boolean {
    return this.graph.operators.some((operator) => operator.due !== undefined);
  }

  /** Whether changes wait for a time of the clock that will not come in this run. */
  holdsBack(): boolean {
    return this.graph.operators.some((operator) => operator.node.kind === 'coalesce' && operator.due?.() !== undefined);
  }
}
