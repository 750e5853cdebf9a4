/**
 * How many queries may run at once. DuckDB's client runs each statement on a thread of Node's pool, which has four: with more, queries
 * of people would keep the stream's own statements waiting.
 */
const AT_ONCE = Math.max(1, Math.floor(poolSize() / 2));

function poolSize(): number {
  const size = Number(process.env['UV_THREADPOOL_SIZE'] ?? '4');
  return Number.isInteger(size) && size > 0 ? size : 4;
}

/** Lets queries in, a few at a time, in the order in which they came. */
export class QueryDesk {
  private readonly atOnce: number;
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(atOnce: number = AT_ONCE) {
    this.atOnce = atOnce;
  }

  /**
   * Resolves with what is to be called when the query is over; undefined where the signal aborted before its turn. `onWait` is
   * called once where it has to wait.
   */
  async enter(
    signal: AbortSignal,
    onWait: (queue: { readonly running: number; readonly before: number }) => void,
  ): Promise<(() => void) | undefined> {
    if (this.running >= this.atOnce) {
      onWait({ running: this.running, before: this.waiting.length });
      if (!(await this.turn(signal))) return undefined;
    }
    this.running++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.running--;
      this.waiting.shift()?.();
    };
  }

  private turn(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(true);
      };
      const leave = (): void => {
        const at = this.waiting.indexOf(begin);
        if (at !== -1) this.waiting.splice(at, 1);
        resolve(false);
      };
      this.waiting.push(begin);
      signal.addEventListener('abort', leave, { once: true });
    });
  }
}
