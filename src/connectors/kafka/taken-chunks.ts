import type { Chunk, CsvDialect, ScratchPool } from '../../base/connector.ts';
import { topicMark } from './gaps.ts';
import type { PartitionLog, Taken } from './partition-log.ts';
import type { Segment, SegmentPool } from './segment.ts';

/** Below this a second file costs more than a second thread of DuckDB gains. */
const WORTH_SPLITTING = 20_000;
/** So many files for each thread, and one that is slower still leaves none idle for long. */
const FILES_A_THREAD = 2;

/** Writes what is taken of the logs into files, and knows what of it has been decoded. */
export class TakenChunks {
  private readonly scratch: ScratchPool;
  private readonly parallelism: number;
  private readonly pool: SegmentPool;
  private readonly dialect: CsvDialect | undefined;
  /** Chunks not yet released, by partition. */
  private readonly out = new Map<number, Set<Taken>>();

  /** The lines are JSON where there is no dialect of CSV. */
  constructor(scratch: ScratchPool, parallelism: number, pool: SegmentPool, dialect?: CsvDialect) {
    this.scratch = scratch;
    this.parallelism = parallelism;
    this.pool = pool;
    this.dialect = dialect;
  }

  /**
   * About `maxRecords` in all, below the offset that `stopOf` gives for each log; each gives its share, and what a short
   * one leaves goes to the longer ones. Their ordinal is the mark of the topic.
   */
  async take(
    logs: readonly PartitionLog[],
    maxRecords: number,
    stopOf: (log: PartitionLog) => number,
  ): Promise<Chunk[]> {
    const taken: [PartitionLog, Taken][] = [];
    const emptied: Segment[] = [];
    let left = maxRecords;
    const shortestFirst = logs
      .map((log) => ({ log, stop: stopOf(log), buffered: log.bufferedBelow(stopOf(log)) }))
      .sort((a, b) => a.buffered - b.buffered);
    for (const [i, { log, stop, buffered }] of shortestFirst.entries()) {
      if (left <= 0) break;
      const share = Math.min(Math.ceil(left / (logs.length - i)), buffered);
      for (const part of this.cut(share, logs.length)) taken.push([log, log.take(part, stop)]);
      left -= share;
    }
    for (const [, part] of taken) emptied.push(...part.emptied);
    const files = await Promise.all(this.gathered(taken).map((parts) => this.write(parts)));
    const chunks = files.flat();
    for (const segment of emptied) this.pool.release(segment);
    return chunks;
  }

  /** How far each partition has been decoded. */
  released(logs: readonly PartitionLog[]): Map<PartitionLog, number> {
    return new Map(
      logs.map((log) => {
        const first = [...(this.out.get(log.index) ?? [])].map((part) => part.from);
        return [log, Math.min(log.position, ...first)];
      }),
    );
  }

  /** One partition alone is cut so that DuckDB has a file for each of its threads. */
  private cut(records: number, partitions: number): number[] {
    const files = records < WORTH_SPLITTING ? 1 : Math.max(1, Math.floor(this.parallelism / partitions));
    const size = Math.ceil(records / files);
    return Array.from({ length: files }, (_, i) => (i < files - 1 ? size : records - size * (files - 1)));
  }

  /** What goes into one file: DuckDB opens each, so that many short ones cost more than what is in them. */
  private gathered(taken: readonly [PartitionLog, Taken][]): readonly (readonly [PartitionLog, Taken][])[] {
    const most = FILES_A_THREAD * this.parallelism;
    if (this.dialect !== undefined || taken.length <= most) return taken.map((each) => [each]);
    const share = Math.ceil(taken.reduce((sum, [, { bytes }]) => sum + bytes, 0) / most);
    const groups: [PartitionLog, Taken][][] = [];
    let size = Infinity;
    for (const each of taken) {
      if (size >= share) {
        groups.push([]);
        size = 0;
      }
      groups.at(-1)?.push(each);
      size += each[1].bytes;
    }
    return groups;
  }

  /** Writes a file and makes its chunks; it is given back when the last of them is. */
  private async write(parts: readonly [PartitionLog, Taken][]): Promise<readonly Chunk[]> {
    const file = this.scratch.acquire();
    await file.write(parts.flatMap(([, { pieces }]) => pieces));
    let held = parts.length;
    let start = 0;
    return parts.map(([log, part]) => {
      const out = this.out.get(log.index) ?? new Set<Taken>();
      this.out.set(log.index, out.add(part));
      const release = (): void => {
        if (out.delete(part) && --held === 0) file.release();
      };
      const { from, to, records, runs, rejected, bytes, check } = part;
      const place = { path: file.path, bytes, ...(parts.length > 1 && { start }) };
      start += bytes;
      const { dialect } = this;
      const body =
        dialect === undefined
          ? ({ kind: 'json', ...place } as const)
          : ({ kind: 'csv', path: file.path, bytes, dialect } as const);
      return {
        partition: log.index,
        from,
        to,
        records,
        runs,
        ordinal: topicMark(log.topicId),
        check,
        rejected,
        body,
        release,
      };
    });
  }
}
