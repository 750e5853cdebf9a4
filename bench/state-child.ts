// A run with much state and little that changes: node bench/state-child.ts '{"kind": …, "rows": …, "folder": …}' prints
// what its checkpoints cost then, and what it takes to go on from the last one.
import { join } from 'node:path';
import type { RunEvent } from '../src/base/run.ts';
import { open } from '../src/engine.ts';

export interface StateJob {
  /** Groups that are changed in place, or rows that are appended. */
  readonly kind: 'groups' | 'rows';
  /** Of state. */
  readonly rows: number;
  readonly folder: string;
  readonly threads: number;
}

export interface StateOutcome {
  /** Of each checkpoint that wrote the same small change, ms; and rows that it wrote. */
  readonly checkpoints: readonly { readonly ms: number; readonly pausedMs: number; readonly rows: number }[];
  /** To load the state again and be ready, seconds. */
  readonly recovery: number;
}

const RATE = 20_000;
const COUNTED = 5;
const job = JSON.parse(process.argv[2] ?? '') as StateJob;
const { rows } = job;
const head = `CREATE SOURCE big (k AS n) WITH (connector = 'generator', rows = ${rows});
  CREATE SOURCE small (k AS n * 7919 % ${rows}) WITH (connector = 'generator', rate = ${RATE});`;
const text = {
  groups: `${head} CREATE MATERIALIZED VIEW v AS
    SELECT k % 10 AS d, sum(n) AS n FROM (
      SELECT k, count(*) AS n FROM (SELECT k FROM big UNION ALL SELECT k FROM small) GROUP BY k) GROUP BY d;`,
  rows: `${head} CREATE MATERIALIZED VIEW v AS
    SELECT count(*) AS n FROM small JOIN big ON small.k = -1 - big.k;`,
}[job.kind];

const paths = { db: join(job.folder, 'state.duckdb'), state: join(job.folder, 'state') };

async function run(onEvent: (event: RunEvent, stop: () => void) => void, fresh: boolean): Promise<void> {
  const engine = await open({
    ...paths, fresh, threads: job.threads, maxBatchRows: 1_000_000, checkpointIntervalMs: 1000,
  }); // prettier-ignore
  const stop = new AbortController();
  await engine.sql(text);
  await engine.run({ signal: stop.signal, onEvent: (event) => onEvent(event, () => stop.abort()) });
  await engine.close();
}

const checkpoints: { ms: number; pausedMs: number; rows: number }[] = [];
let filledAt: number | undefined;
let seen = 0;
await run((event, stop) => {
  if (event.event === 'epoch' && filledAt === undefined) {
    const big = event.sources.find((source) => source.name === 'big');
    if (big?.rows === rows) filledAt = event.epoch;
  }
  // The first ones after it still write what filled it.
  if (event.event !== 'checkpoint' || filledAt === undefined || event.epoch <= filledAt || ++seen <= 2) return;
  checkpoints.push({ ms: event.ms, pausedMs: event.pausedMs, rows: event.rows });
  if (checkpoints.length >= COUNTED) stop();
}, true);

let recovery = 0;
await run((event, stop) => {
  if (event.event === 'resumed') recovery = event.seconds;
  if (event.event === 'epoch') stop();
}, false);
const outcome: StateOutcome = { checkpoints: checkpoints.slice(0, COUNTED), recovery };
console.log(JSON.stringify(outcome));
