// One run of the engine: node bench/engine-child.ts '{"text": …, "db": …, "threads": …}' prints an Outcome, or why the
// text is refused.
import { raw } from '../src/base/sql.ts';
import { open, StreamsqlError } from '../src/engine.ts';
import { cpuSeconds, peakMb, type Outcome, type Refusal } from './child.ts';
import { digest } from './source.ts';

export interface EngineJob {
  readonly text: string;
  readonly db: string;
  readonly threads: number;
  /** What of the results must be equal. */
  readonly compared: string;
  /** How often, ms; as by default where absent. */
  readonly checkpoints?: number | 'none' | undefined;
  /** Print EXPLAIN ANALYZE first. */
  readonly explain: boolean;
}

const job = JSON.parse(process.argv[2] ?? '') as EngineJob;
const engine = await open({
  db: job.db, state: `${job.db}.state`, threads: job.threads,
  ...(job.checkpoints === 'none' && { checkpoints: false }),
  ...(typeof job.checkpoints === 'number' && { checkpointIntervalMs: job.checkpoints }),
}); // prettier-ignore
try {
  await engine.sql(job.text);
} catch (error) {
  if (!(error instanceof StreamsqlError) || error.code !== 'UNSUPPORTED') throw error;
  const refusal: Refusal = { refused: error.message };
  console.log(JSON.stringify(refusal));
  process.exit(0);
}
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
const { rows } = await engine.query(digest(raw(`(${job.compared})`)).text);
const outcome: Outcome = {
  seconds: summary.seconds,
  cpuSeconds: cpu,
  peakMb: peak,
  answer: String(rows[0]?.[0]),
};
console.log(JSON.stringify(outcome));
await engine.close();
