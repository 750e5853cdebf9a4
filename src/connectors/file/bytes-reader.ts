import type { Chunk, PartitionState, PollRequest, SourceReader } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { ListedFile } from './listed-files.ts';
import { FilePartition, type Shared } from './partition.ts';

/** Reads files of JSON lines or CSV, each a partition. `list` names them, at `open`. */
export function bytesReader(list: () => Promise<readonly ListedFile[]>, shared: Shared): SourceReader {
  const partitions: FilePartition[] = [];
  const at = (index: number): FilePartition => {
    const found = partitions[index];
    if (found === undefined) throw new StreamsqlError('INTERNAL', `there is no partition ${index}`);
    return found;
  };
  return {
    partitions: partitions satisfies readonly PartitionState[],
    async open(): Promise<void> {
      for (const [index, listed] of (await list()).entries()) {
        partitions.push(await FilePartition.at(listed, index, shared));
      }
    },
    async poll({ partitions: allowed, maxRecords, upTo }: PollRequest): Promise<readonly Chunk[]> {
      const chunks: Chunk[] = [];
      let left = maxRecords;
      for (const [index, each] of partitions.entries()) {
        if (allowed !== 'all' && !allowed.has(index)) continue;
        const stop = upTo === undefined ? Infinity : (upTo.get(index) ?? 0);
        // A small remainder is not worth files of its own.
        while (!each.isRead(stop) && left > maxRecords / 4) {
          const next = await each.next(left, stop);
          chunks.push(...next);
          left -= next.reduce((sum, { records }) => sum + records, 0);
          if (next.length === 0) break;
        }
        if (left <= maxRecords / 4) break;
      }
      return chunks;
    },
    peek: (index) => at(index).peek(),
    async close(): Promise<void> {
      for (const each of partitions) await each.close();
    },
  };
}
