import type { DuckdbJob } from './duckdb-child.ts';
import { lastJson, runChild, type Outcome } from './child.ts';
import type { Method } from './compare.ts';
import { filter } from './queries.ts';
import type { Line } from './report.ts';
import { shares } from './shares.ts';
import { batchRelation, streamFile, type Input } from './source.ts';
import type { BenchBroker } from './topic.ts';

export const CODECS = 'codecs';

/** The project's target is for two of them. */
const COMPRESSED = { gzip: undefined, snappy: undefined, lz4: 0.6, zstd: 0.6 } as const;

/** Topics with the same records in each codec, beside the one that is not compressed and DuckDB over the file. */
export async function codecRates(
  broker: BenchBroker,
  plainTopic: string,
  file: Input & { readonly kind: 'file' },
  partitions: number,
  method: Method,
): Promise<readonly Line[]> {
  for (const codec of Object.keys(COMPRESSED))
    await broker.load(file.path, `${plainTopic}-${codec}`, partitions, codec);
  const read = (topic: string): string => streamFile(filter, { kind: 'kafka', address: broker.address, topic });
  const job: DuckdbJob = {
    relations: [['bids', batchRelation(filter, file).text]],
    select: filter.batch,
    compared: 'FROM answer',
    threads: method.threads,
  };
  return shares({
    plain: read(plainTopic),
    of: 'of uncompressed',
    variants: Object.entries(COMPRESSED).map(([codec, wanted]) => ({
      name: `${CODECS}-${codec}`,
      sql: read(`${plainTopic}-${codec}`),
      wanted,
    })),
    method,
    duckdb: async () => lastJson<Outcome>(await runChild('duckdb-child.ts', [JSON.stringify(job)])),
  });
}
