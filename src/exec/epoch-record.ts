import type { Chunk } from '../base/connector.ts';
import { combineCrc } from '../base/crc32.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { EpochRecord } from './results.ts';
import type { DecodedChunks, SourceRun } from './source-run.ts';

/** What the records of an epoch came to, by source. */
export type DecodedBatches = ReadonlyMap<SourceRun, DecodedChunks & { readonly chunks: readonly Chunk[] }>;

/** What is committed of an epoch beside the views' changes. */
export function epochRecord(
  sources: readonly SourceRun[],
  decoded: DecodedBatches,
  anyLate: boolean,
  epoch: Pick<EpochRecord, 'epoch' | 'clock' | 'closing' | 'decodeMs' | 'runMs'>,
): EpochRecord {
  return {
    ...epoch,
    rows: [...decoded.values()].reduce((sum, batch) => sum + batch.decoded.rows, 0),
    dead: [...decoded].flatMap(([source, batch]) =>
      batch.decoded.dead.map((letter) => ({
        ...letter,
        source: source.name,
        partitionName: source.reader.partitions[letter.partition]?.name ?? String(letter.partition),
      })),
    ),
    ranges: [...decoded].flatMap(([source, batch]) => rangesOf(source, batch.chunks)),
    watermarks: sources.map((source) => ({
      source: source.name,
      watermark: source.shownWatermark,
      announced: source.clock.watermark,
    })),
    lateSources: anyLate
      ? sources.map((source) => ({
          source: source.name,
          partitions: source.reader.partitions.map((partition) => partition.name),
        }))
      : [],
  };
}

/** What an epoch read of a source, by partition. */
export function rangesOf(source: SourceRun, chunks: readonly Chunk[]): EpochRecord['ranges'] {
  const ranges = new Map<number, EpochRecord['ranges'][number]>();
  for (const chunk of chunks) {
    const known = ranges.get(chunk.partition);
    if (known !== undefined && known.to !== chunk.from) {
      throw new StreamsqlError(
        'INTERNAL',
        `source ${source.name}: a chunk begins at ${chunk.from} where the one before it ended at ${known.to}`,
      );
    }
    const partition = source.reader.partitions[chunk.partition]?.name ?? String(chunk.partition);
    const records = chunk.records + chunk.rejected.length;
    if (known === undefined)
      ranges.set(chunk.partition, { source: source.name, partition, from: chunk.from, to: chunk.to, records, check: chunk.check }); // prettier-ignore
    else {
      const check = both(known.check, chunk.check);
      ranges.set(chunk.partition, { ...known, to: chunk.to, records: known.records + records, check });
    }
  }
  return [...ranges.values()];
}

type Check = Chunk['check'];

/** Of two stretches that adjoin. */
function both(a: Check, b: Check): Check {
  if (a === undefined || b === undefined) return undefined;
  return { crc: combineCrc(a.crc, b.crc, b.bytes), bytes: a.bytes + b.bytes };
}
