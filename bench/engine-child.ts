// One run of the engine: node bench/engine-child.ts '{"text": …, "db": …, "threads": …}' prints an Outcome.
import { raw } from '../src/base/sql.ts';
import { open } from '../src/engine.ts';
import { cpuSeconds, peakMb, type Outcome } from './child.ts';
import { digest } from './source.ts';

export interface EngineJob {
  readonly text: string;
  readonly db: string;
  readonly threads: number;
  /** Print EXPLAIN ANALYZE first. */
  readonly explain: boolean;
}

const job = JSON.parse(process.argv[2] ?? '') as EngineJob;
const engine = await open({ db: job.db, state: `${job.db}.state`, threads: job.threads });
await engine.sql(job.text);
const before = process.cpuUsage();
const summary = await engine.run();
const [cpu, peak] = [cpuSeconds(before), peakMb()];
if (job.explain) {
  console.log(await engine.explain({ analyze: true }));
  const spent = await engine.query(
    'SELECT count(*), round(sum(decode_ms)), round(sum(run_ms)) FROM _streamsql.epochs WHERE rows > 0',
  );
  const [epochs, decodeMs, runMs] = spent.rows[0] ?? [];
  console.log(`${String(epochs)} epochs with rows: decode ${String(decodeMs)} ms, operators ${String(runMs)} ms`);
}
if (summary.late + summary.deadLetters > 0)
  throw new Error(`${summary.late} late and ${summary.deadLetters} dead: ${summary.sources[0]?.firstReason}`);
const { rows } = await engine.query(digest(raw('answer')).text);
const outcome: Outcome = {
  seconds: summary.seconds,
  cpuSeconds: cpu,
  peakMb: peak,
  answer: String(rows[0]?.[0]),
};
console.log(JSON.stringify(outcome));
await engine.close();
