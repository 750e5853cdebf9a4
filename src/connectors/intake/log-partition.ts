import type { Chunk, ChunkBody, PartitionState, SourceContext } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { IntakePartition } from '../../base/intake.ts';
import { checkOf } from '../check.ts';
import type { Entries } from './entries.ts';
import { dialectOf, type Layout } from './layout.ts';
import { cutLog } from './log-cut.ts';

const LEAST_READ = 1 << 16;
const MOST_READ = 1 << 26;

/** What the partitions of a source share. */
export interface Shared {
  readonly layout: Layout;
  readonly context: Pick<SourceContext, 'scratch' | 'log' | 'skipped'>;
  /** Called when there is more to read, or nothing more to come. */
  changed(): void;
}

/** One partition of a log: at one end doors put in what comes, at the other a reader takes it. */
export class LogPartition implements PartitionState {
  readonly name: string;
  position: number;
  /** Nothing more will be put in. */
  isFinished = false;
  /** Whom it comes from cannot be reached: where it ends is as of then. */
  away = false;
  private readonly index: number;
  private readonly shared: Shared;
  private ordinal: number | undefined;
  private log: IntakePartition | undefined;
  private readonly opening: Promise<IntakePartition>;
  private bytesPerRecord = 200;
  private looks = 0;
  private readonly waiters: (() => void)[] = [];
  private isClosed = false;

  constructor(known: { readonly name: string; readonly position: number; readonly ordinal?: number | undefined }, index: number, shared: Shared) {
    const { log } = shared.context;
    if (log === undefined) throw new StreamsqlError('INTERNAL', `${known.name} has no log`);
    this.name = known.name;
    this.position = known.position;
    this.ordinal = known.position === 0 ? 0 : known.ordinal;
    this.index = index;
    this.shared = shared;
    this.opening = this.attach(log.partition(known.name));
    this.opening.catch(() => undefined);
  } // prettier-ignore

  get end(): number {
    return this.log?.end ?? this.position;
  }

  /** Each look is answered as long as whom it comes from is there. */
  get answers(): number {
    if (!this.away) this.looks++;
    return this.looks;
  }

  get done(): boolean {
    const { log } = this;
    return this.isFinished && log !== undefined && log.underway === 0 && this.position >= log.end;
  }

  /** Resolves when the log is there, and reaches to where it is to be read from. Throws GAP where it does not. */
  async opened(): Promise<IntakePartition> {
    return this.opening;
  }

  /** Whether there is something before `stop`. */
  isReady(stop: number): boolean {
    return this.log !== undefined && this.position < Math.min(stop, this.log.end);
  }

  /** Not read yet, bytes. */
  get pending(): number {
    return this.log === undefined ? 0 : this.log.end + this.log.underway - this.position;
  }

  /** Puts entries in; resolves when they are there for good. */
  async take({ bytes, records }: Entries): Promise<void> {
    if (records === 0) return;
    const log = await this.opening;
    await log.append(bytes, records);
    this.shared.changed();
  }

  /** The header of a stream: the first one's is kept, and the others' must be the same. */
  async begin(header: string): Promise<void> {
    const log = await this.opening;
    if (this.shared.layout.kind === 'csv') dialectOf(this.shared.layout, header);
    if (log.head === undefined) log.note(header);
    else if (log.head !== header)
      throw new StreamsqlError('SOURCE', `${this.name} begins with another header than before: ${header}`, {
        hint: `it was: ${log.head}`,
      });
  }

  finish(): void {
    this.isFinished = true;
    this.shared.changed();
  }

  /** Resolves when less than `most` bytes are pending, or the reader is closed. */
  async room(most: number): Promise<void> {
    while (this.pending >= most && !this.isClosed) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  /** Nobody reads any more: who waits for room goes on. */
  close(): void {
    this.isClosed = true;
    this.wake();
  }

  private wake(): void {
    for (const wake of this.waiters.splice(0)) wake();
  }

  /** The next records, about `most` of them, none beyond `stop`. */
  async next(most: number, stop: number, window: (bytes: number) => Buffer): Promise<Chunk> {
    const log = await this.opening;
    const left = Math.min(stop, log.end) - this.position;
    for (let size = Math.min(MOST_READ, Math.max(LEAST_READ, most * this.bytesPerRecord * 1.1)); ; size *= 2) {
      const bytes = await filled(log, this.position, window(Math.ceil(Math.min(size, left))));
      const cut = cutLog(bytes, this.shared.layout, this.ordinal ?? 0, most);
      if (cut.end === 0 && bytes.length < left) continue;
      if (cut.end === 0) throw new StreamsqlError('SOURCE', `the log of ${this.name} is damaged at ${this.position}`);
      return this.chunk(cut, bytes, log.head);
    }
  }

  private async chunk(cut: ReturnType<typeof cutLog>, bytes: Buffer, head: string | undefined): Promise<Chunk> {
    const { layout, context } = this.shared;
    const file = context.scratch.acquire();
    await file.write(cut.pieces);
    const place = { path: file.path, bytes: cut.pieces.reduce((sum, { length }) => sum + length, 0) };
    const body: ChunkBody =
      layout.kind === 'csv' ? { kind: 'csv', ...place, dialect: dialectOf(layout, head) } : { kind: 'json', ...place };
    const from = this.position;
    this.position += cut.end;
    this.ordinal = cut.ordinal;
    if (cut.records > 0) this.bytesPerRecord = cut.end / cut.records;
    this.wake();
    return {
      partition: this.index,
      from,
      to: this.position,
      records: cut.records,
      runs: cut.runs,
      ordinal: cut.ordinal,
      check: checkOf(bytes.subarray(0, cut.end)),
      body,
      rejected: cut.rejected,
      release: () => file.release(),
    };
  }

  private async attach(opening: Promise<IntakePartition>): Promise<IntakePartition> {
    const log = await opening;
    const { start, end } = log;
    if (this.position > end)
      throw new StreamsqlError('GAP', `the log of ${this.name} ends at byte ${end}, and was read up to ${this.position} once`, {
        hint: 'put the state folder back as it was, or start again with --fresh',
      }); // prettier-ignore
    if (this.position < start.position) {
      const { skipped } = this.shared.context;
      if (skipped === undefined)
        throw new StreamsqlError('GAP', `the log of ${this.name} has nothing before byte ${start.position}, and is to be read from ${this.position}`, {
          hint: 'put the state folder back as it was, or go on without what is gone, with --on-gap skip',
        }); // prettier-ignore
      skipped(this.name, this.position, start.position);
      this.position = start.position;
    }
    if (this.position === start.position) this.ordinal = start.ordinal;
    if (this.ordinal === undefined)
      throw new StreamsqlError('INTERNAL', `which record of ${this.name} is at byte ${this.position} is not known`);
    await log.check(this.position);
    this.log = log;
    this.shared.changed();
    return log;
  }
}

/** As much of the log as the window takes: it is longer than what is read at once where a file of it ends. */
async function filled(log: IntakePartition, position: number, window: Buffer): Promise<Buffer> {
  let size = 0;
  while (size < window.length) {
    const read = await log.read(position + size, window.subarray(size));
    if (read === 0) break;
    size += read;
  }
  return window.subarray(0, size);
}
