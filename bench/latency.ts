import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { finished, lastJson, runChild } from './child.ts';
import type { Latencies, LatencyJob } from './latency-child.ts';
import { makeTopic } from './topic.ts';
import type { Line } from './report.ts';

const PARTITIONS = 4;
const RATE = 20_000;
const WARM_UP_SECONDS = 2;
const BATCH_INTERVAL_MS = 100;
const MOST_INTERVALS = 3;
/** Long enough for the last records to be committed. */
const DRAIN_MS = 1500;

/** Records as they came, and a live aggregate over them beside. */
const streamText = (address: string, topic: string): string => `
CREATE SOURCE bids (partition INT, n BIGINT, sent BIGINT, auction BIGINT, price BIGINT)
  WITH (connector = 'kafka', brokers = '${address}', topic = '${topic}', format = 'json');
CREATE MATERIALIZED VIEW sent AS SELECT partition, n, sent FROM bids;
CREATE MATERIALIZED VIEW auctions AS SELECT auction, count(*) AS bids, max(price) AS top FROM bids GROUP BY auction;
`;

/** From produce time to committed in the result tables, at a steady rate, the engine live on a topic of a real broker. */
export async function latency(address: string, seconds: number, threads: number): Promise<Line> {
  const topic = `steady-${process.pid}`;
  await makeTopic(address, topic, PARTITIONS);
  const folder = mkdtempSync(join(tmpdir(), 'streamsql-bench-'));
  const job: LatencyJob = {
    text: streamText(address, topic),
    db: join(folder, 'answer.duckdb'),
    threads,
    batchIntervalMs: BATCH_INTERVAL_MS,
    skipMs: WARM_UP_SECONDS * 1000,
  };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'latency-child.ts'), JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    const end = finished(child, 'latency-child.ts');
    const ready = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    await Promise.race([ready, end]);
    const args = [address, topic, PARTITIONS, RATE, seconds + WARM_UP_SECONDS].map(String);
    const produced = lastJson<{ records: number }>(await runChild('steady-producer.ts', args));
    await sleep(DRAIN_MS);
    child.kill('SIGTERM');
    return judge(lastJson<Latencies>(await end), produced.records);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function judge(result: Latencies, produced: number): Line {
  const name = 'latency';
  if (result.found !== produced)
    return { name, targets: [], wrong: `${result.found} records are in the result, ${produced} were produced` };
  const most = MOST_INTERVALS * BATCH_INTERVAL_MS;
  return {
    name,
    note: `p50 ${result.p50.toFixed(0)} ms, p99 ${result.p99.toFixed(0)} ms, max ${result.max.toFixed(0)} ms of ${result.records} records at ${RATE} a second, ${result.epochs} epochs, CPU ${result.cpuSeconds.toFixed(1)} s`,
    targets: [{ text: `p99 within ${most} ms`, reached: result.p99 <= most }],
  };
}
