import type { Chunk } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import { rangesOf } from './epoch-record.ts';
import type { EpochRange } from './results.ts';
import type { SourceRun } from './source-run.ts';

const WAIT_MS = 250;

/** Reads ranges of a source once more. Throws GAP where the records in them are not those that were read before. */
export async function readAgain(
  source: SourceRun,
  ranges: readonly EpochRange[],
  maxRecords: number,
): Promise<readonly Chunk[]> {
  const { reader } = source;
  const upTo = new Map(ranges.map((range) => [indexOf(source, range), range.to]));
  const left = (): boolean => [...upTo].some(([index, to]) => (reader.partitions[index]?.position ?? to) < to);
  const chunks: Chunk[] = [];
  while (left()) chunks.push(...(await reader.poll({ partitions: 'all', maxRecords, waitMs: WAIT_MS, upTo })));
  const found = rangesOf(source, chunks);
  for (const range of ranges) {
    const again = found.find((candidate) => candidate.partition === range.partition);
    if (again === undefined || !same(again, range)) {
      for (const chunk of chunks) chunk.release();
      throw changed(range, again);
    }
  }
  return chunks;
}

function indexOf(source: SourceRun, { partition, from, to }: EpochRange): number {
  const index = source.reader.partitions.findIndex((candidate) => candidate.name === partition);
  if (index !== -1) return index;
  throw new StreamsqlError('GAP', `source ${source.name}: ${partition}, of which ${from} to ${to} is to be read again, is not there`, HINT); // prettier-ignore
}

function same(again: EpochRange, range: EpochRange): boolean {
  const { check } = range;
  const asWas = check === undefined || again.check === undefined || (check.crc === again.check.crc && check.bytes === again.check.bytes); // prettier-ignore
  return again.from === range.from && again.to === range.to && again.records === range.records && asWas;
}

function changed({ source, partition, from, to, records }: EpochRange, again: EpochRange | undefined): StreamsqlError {
  const found =
    again === undefined
      ? 'nothing is there'
      : again.records !== records
        ? `there are ${again.records} of ${records} records`
        : 'their bytes are others';
  return new StreamsqlError(
    'GAP',
    `source ${source}: ${partition}, ${from} to ${to}, is not what was read before: ${found}`,
    HINT,
  );
}

const HINT = {
  hint: 'the epochs since the last checkpoint cannot be done again: put the input back as it was, or start again with --fresh',
};
