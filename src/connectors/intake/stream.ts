import type { Readable } from 'node:stream';
import type { LogPartition } from './log-partition.ts';
import type { RecordCutter } from './record-cutter.ts';

export interface StreamSettings {
  /** How much may be pending before the stream is paused, bytes. */
  readonly maxPending: number;
  /** The first record is a header. */
  readonly header: boolean;
}

/** Puts into a log what a stream of bytes brings, and lets the stream wait while too much is pending. */
export class LoggedStream {
  /** Resolves when it is over, by itself or by `stop`, and all of it is there for good. */
  readonly over: Promise<void>;
  private readonly stream: Readable;
  private readonly partition: LogPartition;
  private readonly cutter: RecordCutter;
  private readonly settings: StreamSettings;
  private needsHeader: boolean;
  private work: Promise<void> = Promise.resolve();
  private taken: Promise<void> = Promise.resolve();
  private isOver = false;
  private settle: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(stream: Readable, partition: LogPartition, cutter: RecordCutter, settings: StreamSettings) {
    this.stream = stream;
    this.partition = partition;
    this.cutter = cutter;
    this.settings = settings;
    this.needsHeader = settings.header;
    this.over = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.over.catch(() => undefined);
    stream.on('data', this.hear);
  }

  /** Takes no more of the stream; what has no line end yet is a record, or was cut off for that reason. */
  stop(cut?: string): Promise<void> {
    if (!this.isOver) {
      this.isOver = true;
      this.stream.off('data', this.hear);
      this.stream.pause();
      this.queue(() => Promise.resolve(this.put(this.cutter.end(cut))));
      this.work = this.work.then(() => this.taken);
      this.work.then(() => this.settle?.resolve(), (error: unknown) => this.settle?.reject(error)); // prettier-ignore
    }
    return this.over;
  }

  private readonly hear = (bytes: Buffer): void => {
    this.queue(() => this.bring(bytes));
    this.work.catch(() => void this.stop());
  };

  private queue(step: () => Promise<void>): void {
    this.work = this.work.then(step);
  }

  private async bring(bytes: Buffer): Promise<void> {
    let more = bytes;
    if (this.needsHeader) {
      const header = this.cutter.header(bytes);
      if (header === undefined) return;
      await this.partition.begin(header);
      this.needsHeader = false;
      more = Buffer.alloc(0);
    }
    this.put(this.cutter.push(more));
    const { maxPending } = this.settings;
    if (this.partition.pending < maxPending || this.isOver) return;
    this.stream.pause();
    await this.partition.room(maxPending);
    if (!this.isOver) this.stream.resume();
  }

  /** They are there for good in the order in which they are put in: the last one's end is all that is waited for. */
  private put(entries: Parameters<LogPartition['take']>[0]): void {
    this.taken = this.partition.take(entries);
    this.taken.catch(() => void this.stop());
  }
}
