// The engine live on a topic until SIGTERM: node bench/latency-child.ts '{"text": …, "db": …, "skipMs": …}'
// Prints "ready", and at the end how long each record took from being produced to being committed.
import { open } from '../src/engine.ts';
import { cpuSeconds } from './child.ts';
import { percentile } from './statistics.ts';

export interface LatencyJob {
  readonly text: string;
  readonly db: string;
  readonly threads: number;
  readonly batchIntervalMs: number;
  /** Records produced in the first so many ms are not counted. */
  readonly skipMs: number;
}

/** Of records, ms. */
export interface Latencies {
  /** Records that were found in the result table and in an epoch's ranges. */
  readonly found: number;
  readonly records: number;
  readonly epochs: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly cpuSeconds: number;
}

const job = JSON.parse(process.argv[2] ?? '') as LatencyJob;
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const engine = await open(job);
await engine.sql(job.text);
/** When an epoch's commit was done, ms since 1970: what `committed_at` says is when its transaction began. */
const committed = new Map<number, number>();
const before = process.cpuUsage();
const { epochs } = await engine.run({
  signal: stop.signal,
  onEvent: (event) => {
    if (event.event !== 'epoch') return;
    if (committed.size === 0) console.log('ready');
    committed.set(event.epoch, performance.timeOrigin + performance.now());
  },
});
const cpu = cpuSeconds(before);
const times = [...committed].map(([epoch, at]) => `(${epoch}, ${at})`).join(', ');
const { rows } = await engine.query(`
  WITH done(epoch, ms) AS (VALUES ${times}),
    ranges AS (SELECT epoch, unnest(ranges, recursive := true) FROM _streamsql.epochs),
    numbered AS (SELECT epoch, regexp_extract("partition", '\\d+$')::INT AS p, "from", "to" FROM ranges)
  SELECT d.ms - s.sent / 1000 AS latency, s.sent / 1000 >= (SELECT min(sent) / 1000 FROM sent) + ${job.skipMs} AS counts
  FROM sent s JOIN numbered r ON r.p = s."partition" AND s.n >= r."from" AND s.n < r."to" JOIN done d ON d.epoch = r.epoch
  ORDER BY 1`);
const latencies = rows.filter((row) => row[1] === true).map((row) => Number(row[0]));
const result: Latencies = {
  found: rows.length,
  records: latencies.length,
  epochs,
  p50: percentile(latencies, 0.5),
  p99: percentile(latencies, 0.99),
  max: latencies.at(-1) ?? NaN,
  cpuSeconds: cpu,
};
console.log(JSON.stringify(result));
await engine.close();
