import type { Chunk, OffsetRun, PartitionState, PollRequest, SourceContext, SourceReader } from '../base/connector.ts';
import type { Sql } from '../base/sql.ts';
import { startPace, type Pace } from './pacing.ts';

/** A source whose rows are a function of a number: one partition, its positions the numbers `from` to `to`. */
export interface Sequence {
  /** The name of its one partition. */
  readonly name: string;
  readonly from: number;
  /** The position after the last; undefined where it goes on for ever. */
  readonly to: number | undefined;
  /** Numbers per second; as fast as it is read where undefined. */
  readonly rate: number | undefined;
  /** The rows of the numbers `from` (inclusive) to `to` (exclusive), the same whatever the cut. */
  slice(from: number, to: number): SequenceSlice;
}

interface SequenceSlice {
  /** The rows' offsets: consecutive, for a sequence leaves none out. `count` is the number of rows. */
  readonly run: OffsetRun;
  readonly sql: Sql;
}

/** Below this many numbers a second chunk costs more than it saves. */
const LEAST_NUMBERS_OF_A_CHUNK = 32_768;

/**
 * Reads a sequence. `maxRecords` bounds the numbers that a poll goes on by, not the rows that they have, so that
 * several sources over one sequence advance alike when they are polled alike.
 */
export function readSequence(sequence: Sequence, context: SourceContext): SourceReader {
  let position = context.resume?.partitions[0]?.position ?? sequence.from;
  const last = sequence.to ?? Number.MAX_SAFE_INTEGER;
  /** The clock of its rate, from where it is read as it comes: what is read again does not wait. */
  let live: { readonly pace: Pace; readonly from: number } | undefined;
  const begin = (): NonNullable<typeof live> => (live ??= { pace: startPace(sequence.rate), from: position });
  const due = (): number => Math.min(last, live === undefined ? position : live.from + live.pace.due());
  const state: PartitionState = {
    name: sequence.name,
    get position() {
      return position;
    },
    get end() {
      return sequence.to ?? (sequence.rate === undefined ? undefined : due());
    },
    get done() {
      return position >= last;
    },
  };

  return {
    partitions: [state],
    open(): Promise<void> {
      if (context.resume === undefined) begin();
      return Promise.resolve();
    },
    async poll({ partitions, maxRecords, waitMs, upTo }: PollRequest): Promise<readonly Chunk[]> {
      if (partitions !== 'all' && !partitions.has(0)) return [];
      const stop = upTo === undefined ? last : Math.min(last, upTo.get(0) ?? 0);
      if (position >= stop) return [];
      if (upTo === undefined) {
        const { pace, from } = begin();
        if (due() <= position) await pace.until(position - from, waitMs, context.signal);
      } else live = undefined;
      const from = position;
      const to = Math.min(upTo === undefined ? due() : stop, from + Math.max(1, maxRecords));
      if (to <= from) return [];
      position = to;
      return cut(from, to, context.parallelism).map(([a, b]) => toChunk(a, b, sequence.slice(a, b)));
    },
    peek(): Promise<Chunk | undefined> {
      return Promise.resolve(position > sequence.from ? undefined : firstRow(sequence, last));
    },
    close: () => Promise.resolve(),
  };
}

function cut(from: number, to: number, parallelism: number): readonly (readonly [number, number])[] {
  const pieces = Math.max(1, Math.min(parallelism, Math.floor((to - from) / LEAST_NUMBERS_OF_A_CHUNK)));
  const size = Math.ceil((to - from) / pieces);
  return Array.from({ length: pieces }, (_, i) => [from + i * size, Math.min(to, from + (i + 1) * size)]);
}

function toChunk(from: number, to: number, { run, sql }: SequenceSlice): Chunk {
  return {
    partition: 0,
    from,
    to,
    records: run.count,
    runs: run.count === 0 ? [] : [run],
    body: { kind: 'query', sql },
    rejected: [],
    release: () => undefined,
  };
}

/** Every round of numbers has a row of each kind, so a short search finds the first. */
function firstRow(sequence: Sequence, last: number): Chunk | undefined {
  for (let from = sequence.from; from < Math.min(last, sequence.from + LONGEST_GAP); from++) {
    const slice = sequence.slice(from, from + 1);
    if (slice.run.count > 0) return toChunk(from, from + 1, slice);
  }
  return undefined;
}

const LONGEST_GAP = 64;
