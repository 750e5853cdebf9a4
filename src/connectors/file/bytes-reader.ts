import { stat } from 'node:fs/promises';
import type { Chunk, PartitionState, PollRequest, SourceReader } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { FoundFile } from './glob.ts';
import { FilePartition, type Shared } from './partition.ts';

/** Reads files of JSON lines or CSV, each a partition. `find` names them, at `open`. */
export function bytesReader(find: () => Promise<readonly FoundFile[]>, shared: Shared): SourceReader {
  const partitions: FilePartition[] = [];
  const at = (index: number): FilePartition => {
    const found = partitions[index];
    if (found === undefined) throw new StreamsqlError('INTERNAL', `there is no partition ${index}`);
    return found;
  };
  return {
    partitions: partitions satisfies readonly PartitionState[],
    async open(): Promise<void> {
      for (const [index, file] of (await find()).entries()) {
        const { size } = await stat(file.path);
        partitions.push(new FilePartition(file, index, size, shared));
      }
    },
    async poll({ partitions: allowed, maxRecords }: PollRequest): Promise<readonly Chunk[]> {
      const chunks: Chunk[] = [];
      let left = maxRecords;
      for (const [index, each] of partitions.entries()) {
        if (allowed !== 'all' && !allowed.has(index)) continue;
        // A small remainder is not worth files of its own.
        while (!each.done && left > maxRecords / 4) {
          const next = await each.next(left);
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
