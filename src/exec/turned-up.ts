import type { SourceState } from './checkpoint/manifest.ts';
import type { LoggedEpoch } from './epoch-log.ts';

/** The partitions of a source that the epochs after a checkpoint have read and that it does not know, in their order. */
export function turnedUp(
  { name, partitions }: Pick<SourceState, 'name' | 'partitions'>,
  epochs: readonly LoggedEpoch[],
): readonly string[] {
  const known = new Set(partitions.map((partition) => partition.name));
  const ranges = epochs.flatMap((epoch) => epoch.ranges).filter(({ source }) => source === name);
  return [...new Set(ranges.map(({ partition }) => partition))].filter((partition) => !known.has(partition));
}
