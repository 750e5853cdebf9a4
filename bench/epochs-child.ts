// Many small epochs of a Nexmark query: node bench/epochs-child.ts '{"text": …, "db": …, "threads": …}' prints an
// EpochsOutcome, or why the text is refused.
import { open, StreamsqlError } from '../src/engine.ts';
import type { Refusal } from './child.ts';

export interface EpochsJob {
  /** Over the generator. */
  readonly text: string;
  readonly db: string;
  readonly threads: number;
}

/** Means over epochs `from` to `to`. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  /** What the operators took. */
  readonly ms: number;
  /** From one commit to the next: operators and commit, and as much of the decoding as did not go on beside them. */
  readonly wholeMs: number;
}

export interface EpochsOutcome {
  readonly early: Stretch;
  /** When windows and sessions are open as many as ever will be. */
  readonly full: Stretch;
  readonly late: Stretch;
  /** EXPLAIN calls no state unbounded. */
  readonly bounded: boolean;
}

const EVENTS_AN_EPOCH = 1000;
const EPOCHS = 1010;

const job = JSON.parse(process.argv[2] ?? '') as EpochsJob;
// An epoch's rows are shared out among the sources, each of which goes on by so many events.
const sources = job.text.match(/^CREATE SOURCE /gm)?.length ?? 1;
const engine = await open({
  db: job.db,
  state: `${job.db}.state`,
  threads: job.threads,
  maxBatchRows: EVENTS_AN_EPOCH * sources,
  variables: { EVENTS: String(EVENTS_AN_EPOCH * EPOCHS) },
});
try {
  await engine.sql(job.text);
} catch (error) {
  if (!(error instanceof StreamsqlError) || error.code !== 'UNSUPPORTED') throw error;
  const refusal: Refusal = { refused: error.message };
  console.log(JSON.stringify(refusal));
  process.exit(0);
}
const bounded = !(await engine.explain()).includes('UNBOUNDED');
const summary = await engine.run();
if (summary.epochs < EPOCHS) throw new Error(`only ${summary.epochs} epochs`);
const mean = async (from: number, to: number): Promise<Stretch> => {
  const { rows } = await engine.query(
    `SELECT avg(run_ms), avg(whole) FROM (
      SELECT epoch, run_ms, epoch_us(committed_at - lag(committed_at) OVER (ORDER BY epoch)) / 1000 AS whole
      FROM _streamsql.epochs)
    WHERE epoch BETWEEN ${from} AND ${to}`,
  );
  const [ms, wholeMs] = rows[0] ?? [];
  return { from, to, ms: Number(ms), wholeMs: Number(wholeMs) };
};
const outcome: EpochsOutcome = {
  early: await mean(5, 15),
  full: await mean(95, 105),
  late: await mean(995, 1005),
  bounded,
};
console.log(JSON.stringify(outcome));
await engine.close();
