// The same SELECT, once, in plain DuckDB: node bench/duckdb-child.ts '{"relations": …, "select": …, "threads": …}'
// prints an Outcome.
import { ident, raw, sql } from '../src/base/sql.ts';
import { Duck } from '../src/exec/duck.ts';
import { cpuSeconds, peakMb, type Outcome } from './child.ts';
import { digest } from './source.ts';

export interface DuckdbJob {
  /** What `select` reads: names and SELECTs. */
  readonly relations: readonly (readonly [name: string, select: string])[];
  readonly select: string;
  /** What of the table `answer` must be equal. */
  readonly compared: string;
  readonly threads: number;
}

const job = JSON.parse(process.argv[2] ?? '') as DuckdbJob;
const duck = await Duck.open(':memory:', { threads: String(job.threads) });
const connection = await duck.connect();
for (const [name, select] of job.relations) await connection.run(sql`CREATE VIEW ${ident(name)} AS ${raw(select)}`);
const [started, before] = [performance.now(), process.cpuUsage()];
await connection.run(sql`CREATE TABLE answer AS ${raw(job.select)}`);
const seconds = (performance.now() - started) / 1000;
const [cpu, peak] = [cpuSeconds(before), peakMb()];
const answer = (await connection.text(digest(raw(`(${job.compared})`)))) ?? '';
const outcome: Outcome = { seconds, cpuSeconds: cpu, peakMb: peak, answer };
console.log(JSON.stringify(outcome));
duck.close();
