import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastJson, RefusedError, runChild, type Refusal } from './child.ts';
import type { EpochsJob, EpochsOutcome } from './epochs-child.ts';
import type { Line, Target } from './report.ts';
import { spread } from './statistics.ts';

/** More than both is growth; less is the noise of two times eleven epochs. */
const MOST_GROWTH = 1.5;
const MOST_GROWTH_MS = 1;

/** What an epoch of a thousand events costs at the beginning, after a hundred of them and after a thousand: the middle of several runs. */
export async function epochCost(name: string, text: string, runs: number, threads: number): Promise<Line> {
  const outcomes: EpochsOutcome[] = [];
  for (let i = 0; i < runs; i++) outcomes.push(await runOnce(text, threads));
  const bounded = outcomes.every((outcome) => outcome.bounded);
  const middle = (pick: (outcome: EpochsOutcome) => number): number => spread(outcomes.map(pick)).median;
  const [early, full, late] = (['early', 'full', 'late'] as const).map((which) =>
    middle((outcome) => outcome[which].ms),
  );
  if (early === undefined || full === undefined || late === undefined) throw new Error('nothing was measured');
  const growth = spread(outcomes.map((outcome) => outcome.late.ms / outcome.full.ms));
  const stretch = (which: 'early' | 'full' | 'late', ms: number): string => {
    const { from, to } = outcomes[0]?.[which] ?? {};
    return `epochs ${from}–${to}: ${ms.toFixed(1)} ms of ${middle((outcome) => outcome[which].wholeMs).toFixed(1)}`;
  };
  const target: Target = {
    text: `at most ${MOST_GROWTH} times`,
    reached: growth.median <= MOST_GROWTH || late - full <= MOST_GROWTH_MS,
  };
  const times = `${growth.median.toFixed(2)} times (${growth.min.toFixed(2)}–${growth.max.toFixed(2)})`;
  return {
    name,
    note: `${stretch('early', early)}, ${stretch('full', full)}, ${stretch('late', late)}, from the hundredth ${times}; state ${bounded ? 'bounded' : 'UNBOUNDED'}`,
    targets: bounded ? [target] : [],
  };
}

async function runOnce(text: string, threads: number): Promise<EpochsOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'streamsql-bench-'));
  try {
    const job: EpochsJob = { text, db: join(folder, 'answer.duckdb'), threads };
    const result = lastJson<EpochsOutcome | Refusal>(await runChild('epochs-child.ts', [JSON.stringify(job)]));
    if ('refused' in result) throw new RefusedError(result.refused);
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
