import type { Method } from './compare.ts';
import { filter } from './queries.ts';
import type { Line } from './report.ts';
import { shares } from './shares.ts';
import { streamFile, type Input } from './source.ts';
import type { BenchBroker } from './topic.ts';

export const MANY_PARTITIONS = 'partitions-64';

/** A topic of 64 partitions beside one of a few with the same records. */
export async function manyPartitions(
  broker: BenchBroker,
  fewTopic: string,
  file: Input & { readonly kind: 'file' },
  method: Method,
): Promise<readonly Line[]> {
  const manyTopic = `${fewTopic}-64`;
  await broker.load(file.path, manyTopic, 64);
  const read = (topic: string): string => streamFile(filter, { kind: 'kafka', address: broker.address, topic });
  return shares({
    plain: read(fewTopic),
    of: 'of 4 partitions',
    variants: [{ name: MANY_PARTITIONS, sql: read(manyTopic), wanted: 0.8 }],
    method,
  });
}
