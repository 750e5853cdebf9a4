// What a run costs to which nothing comes: node bench/idle-child.ts '{"text": …, "db": …, "seconds": …}' prints {"share": …}.
import { setTimeout as sleep } from 'node:timers/promises';
import { open } from '../src/engine.ts';
import { cpuSeconds } from './child.ts';

export interface IdleJob {
  readonly text: string;
  readonly db: string;
  /** How long it is looked at, after it has settled. */
  readonly seconds: number;
}

export interface Idleness {
  /** Of one core. */
  readonly share: number;
}

const SETTLE_MS = 5000;

const job = JSON.parse(process.argv[2] ?? '') as IdleJob;
const engine = await open({ db: job.db, state: `${job.db}.state` });
await engine.sql(job.text);
const stop = new AbortController();
const run = engine.run({ signal: stop.signal });
await Promise.race([run, sleep(SETTLE_MS)]);
const before = process.cpuUsage();
const began = performance.now();
await Promise.race([run, sleep(job.seconds * 1000)]);
const idleness: Idleness = { share: cpuSeconds(before) / ((performance.now() - began) / 1000) };
stop.abort();
await run;
await engine.close();
console.log(JSON.stringify(idleness));
