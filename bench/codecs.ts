import { runEngine, type Method } from './compare.ts';
import type { DuckdbJob } from './duckdb-child.ts';
import { lastJson, runChild, type Outcome } from './child.ts';
import { filter } from './queries.ts';
import type { Line } from './report.ts';
import { batchRelation, streamFile, type Input } from './source.ts';
import { spread } from './statistics.ts';
import type { BenchBroker } from './topic.ts';

export const CODECS = 'codecs';

const COMPRESSED = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
/** The project's target is for these. */
const WANTED = { lz4: 0.6, zstd: 0.6 } as const;

interface Round {
  readonly duckdb: Outcome;
  readonly plain: Outcome;
  readonly compressed: ReadonlyMap<string, Outcome>;
}

/** Topics with the same records in each codec, beside the one that is not compressed and DuckDB over the file. */
export async function codecRates(
  broker: BenchBroker,
  plainTopic: string,
  file: Input & { readonly kind: 'file' },
  partitions: number,
  method: Method,
): Promise<readonly Line[]> {
  for (const codec of COMPRESSED) await broker.load(file.path, `${plainTopic}-${codec}`, partitions, codec);
  const read = (topic: string): Promise<Outcome> =>
    runEngine(streamFile(filter, { kind: 'kafka', address: broker.address, topic }), method.threads);
  const job: DuckdbJob = {
    relations: [['bids', batchRelation(filter, file).text]],
    select: filter.batch,
    compared: 'FROM answer',
    threads: method.threads,
  };
  const rounds: Round[] = [];
  for (let i = method.warmUp ? 0 : 1; i <= method.pairs; i++) {
    const compressed = new Map<string, Outcome>();
    const duckdb = lastJson<Outcome>(await runChild('duckdb-child.ts', [JSON.stringify(job)]));
    const first = i % 2 === 1 ? await read(plainTopic) : undefined;
    for (const codec of i % 2 === 1 ? COMPRESSED : COMPRESSED.toReversed())
      compressed.set(codec, await read(`${plainTopic}-${codec}`));
    const plain = first ?? (await read(plainTopic));
    if (i > 0) rounds.push({ duckdb, plain, compressed });
  }
  return COMPRESSED.map((codec) => judge(codec, rounds));
}

function judge(codec: (typeof COMPRESSED)[number], rounds: readonly Round[]): Line {
  const name = `${CODECS}-${codec}`;
  const shares: number[] = [];
  const ofDuckdb: number[] = [];
  for (const { duckdb, plain, compressed } of rounds) {
    const found = compressed.get(codec);
    if (found === undefined) throw new Error(`no run of ${codec}`);
    for (const { answer } of [plain, found])
      if (answer !== duckdb.answer) return { name, targets: [], wrong: `${answer}, but DuckDB: ${duckdb.answer}` };
    shares.push(plain.seconds / found.seconds);
    ofDuckdb.push(duckdb.seconds / found.seconds);
  }
  const [share, ofBatch] = [spread(shares), spread(ofDuckdb)];
  const wanted = codec === 'lz4' || codec === 'zstd' ? WANTED[codec] : undefined;
  return {
    name,
    note: `${share.median.toFixed(2)} (${share.min.toFixed(2)}–${share.max.toFixed(2)}) of uncompressed, ${ofBatch.median.toFixed(2)} of DuckDB`,
    targets: wanted === undefined ? [] : [{ text: `${wanted} of uncompressed`, reached: share.median >= wanted }],
  };
}
