import type { Chunk, PollRequest, SourceContext, SourceReader } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { Window } from '../file/partition.ts';
import type { Layout } from './layout.ts';
import { LogPartition } from './log-partition.ts';

/** Where bytes come in: a pipe, a connection, a port. */
export interface Door {
  /** Takes what it needs, so that what is not to be had is said before the run begins; brings bytes from then on. */
  open(): Promise<void>;
  /** Stops to bring bytes, and puts in what it has; resolves when that is there for good. */
  close(): Promise<void>;
}

export interface LogSource {
  readonly layout: Layout;
  /** Of the partitions, in order. */
  readonly names: readonly string[];
  /** The door of each partition. `fail`: the run is to end for this. */
  door(partition: LogPartition, fail: (error: unknown) => void): Door;
}

/** Below this a second file costs more than a second thread of DuckDB gains. */
const WORTH_SPLITTING = 20_000;

/** Reads the logs of a source's partitions, and keeps the doors that fill them. */
export class LogReader implements SourceReader {
  readonly partitions: readonly LogPartition[];
  private readonly context: SourceContext;
  private readonly doors: readonly Door[];
  private readonly window = new Window();
  private failure: unknown;
  private wakePoll: () => void = () => undefined;
  private isClosed = false;

  constructor(source: LogSource, context: SourceContext) {
    const { layout, names } = source;
    this.context = context;
    const known = context.resume?.partitions ?? [];
    const fresh = names.filter((name) => known.every((partition) => partition.name !== name));
    const changed = (): void => this.wakePoll();
    const shared = { layout, context, changed };
    const all = [...known, ...fresh.map((name) => ({ name, position: 0 }))];
    this.partitions = all.map((each, index) => new LogPartition(each, index, shared));
    const listening = this.partitions.filter(({ name }) => context.log?.live === true && names.includes(name));
    for (const partition of this.partitions) if (!listening.includes(partition)) partition.isFinished = true;
    this.doors = listening.map((partition) => source.door(partition, (error) => this.fail(error)));
  }

  async open(): Promise<void> {
    // Where only the log is read it is there, and says at once what it lacks.
    if (this.context.log?.live === false) for (const partition of this.partitions) await partition.opened();
    const opened: Door[] = [];
    try {
      for (const door of this.doors) {
        await door.open();
        opened.push(door);
      }
    } catch (error) {
      for (const door of opened) await door.close();
      throw error;
    }
  }

  async poll({ partitions, maxRecords, waitMs, upTo }: PollRequest): Promise<readonly Chunk[]> {
    const stopOf = (index: number): number => (upTo === undefined ? Infinity : (upTo.get(index) ?? 0));
    const isAllowed = (index: number): boolean => partitions === 'all' || partitions.has(index);
    const deadline = performance.now() + waitMs;
    for (const partition of this.partitions) await partition.opened();
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      const ready = this.partitions.flatMap((partition, index) =>
        isAllowed(index) && partition.isReady(stopOf(index)) ? [{ partition, stop: stopOf(index) }] : [],
      );
      if (ready.length > 0) return this.take(ready, maxRecords);
      for (const [index, stop] of upTo ?? []) this.checkReach(index, stop);
      const left = deadline - performance.now();
      const over = this.partitions.every(({ done }) => done);
      if (over || left <= 0 || this.isClosed || this.context.signal.aborted) return [];
      await this.change(left);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.wakePoll();
    for (const partition of this.partitions) partition.close();
    for (const door of this.doors) await door.close();
  }

  private async take(
    ready: readonly { readonly partition: LogPartition; readonly stop: number }[],
    maxRecords: number,
  ): Promise<readonly Chunk[]> {
    const chunks: Chunk[] = [];
    const window = (bytes: number): Buffer => this.window.take(bytes);
    let left = maxRecords;
    for (const [i, { partition, stop }] of ready.entries()) {
      let share = Math.ceil(left / (ready.length - i));
      const files = share < WORTH_SPLITTING ? 1 : Math.max(1, Math.floor(this.context.parallelism / ready.length));
      const size = Math.ceil(share / files);
      while (share > 0 && partition.isReady(stop)) {
        const chunk = await partition.next(Math.min(size, share), stop, window);
        chunks.push(chunk);
        const taken = chunk.records + chunk.rejected.length;
        share -= taken;
        left -= taken;
        // A small remainder is not worth a file of its own.
        if (taken < size / 4) break;
      }
    }
    return chunks;
  }

  private checkReach(index: number, stop: number): void {
    const partition = this.partitions[index];
    if (partition === undefined || partition.position >= stop) return;
    throw new StreamsqlError('GAP', `the log of ${partition.name} ends before byte ${stop}, up to which it was read once`, {
      hint: 'put the state folder back as it was, or start again with --fresh',
    }); // prettier-ignore
  }

  private fail(error: unknown): void {
    this.failure ??= error;
    this.wakePoll();
  }

  /** Until something changes, at most so long. */
  private change(ms: number): Promise<void> {
    const { signal } = this.context;
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.wakePoll = () => undefined;
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', wake);
      this.wakePoll = wake;
    });
  }
}
