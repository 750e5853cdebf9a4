// The same SELECT, once, in plain DuckDB: node bench/duckdb-child.ts '{"relation": …, "select": …, "threads": …}'
// prints an Outcome.
import { raw, sql } from '../src/base/sql.ts';
import { Duck } from '../src/exec/duck.ts';
import { cpuSeconds, peakMb, type Outcome } from './child.ts';
import { digest } from './source.ts';

export interface DuckdbJob {
  readonly relation: string;
  readonly select: string;
  readonly threads: number;
}

const job = JSON.parse(process.argv[2] ?? '') as DuckdbJob;
const duck = await Duck.open(':memory:', { threads: String(job.threads) });
const connection = await duck.connect();
await connection.run(sql`CREATE VIEW bids AS ${raw(job.relation)}`);
const [started, before] = [performance.now(), process.cpuUsage()];
await connection.run(sql`CREATE TABLE answer AS ${raw(job.select)}`);
const seconds = (performance.now() - started) / 1000;
const [cpu, peak] = [cpuSeconds(before), peakMb()];
const answer = (await connection.text(digest(raw('answer')))) ?? '';
const outcome: Outcome = { seconds, cpuSeconds: cpu, peakMb: peak, answer };
console.log(JSON.stringify(outcome));
duck.close();
