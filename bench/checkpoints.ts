import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastJson, runChild } from './child.ts';
import { runEngine } from './compare.ts';
import { join as joinQuery, tumble } from './queries.ts';
import type { Line } from './report.ts';
import { streamFile, type Input } from './source.ts';
import type { StateJob, StateOutcome } from './state-child.ts';
import { spread } from './statistics.ts';

export const CHECKPOINTS = 'checkpoints';

/** Runs are short here: so that there are several in one. */
const INTERVAL_MS = 500;
const MOST_COST = 0.15;
const MOST_RECOVERY_SECONDS = 3;
const STATE_ROWS = [100_000, 1_000_000, 10_000_000] as const;

/** What exactly-once costs: runs with checkpoints beside runs without, every other time the other way round. */
export async function checkpointCosts(input: Input, pairs: number, threads: number): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for (const query of [tumble, joinQuery]) {
    const text = streamFile(query, input);
    const seconds = async (every: number | 'none'): Promise<number> =>
      (await runEngine(text, threads, 'FROM answer', undefined, every)).seconds;
    const costs: number[] = [];
    for (let i = 0; i <= pairs; i++) {
      const parts: { kept?: number; without?: number } = {};
      const steps = [
        async () => void (parts.kept = await seconds(INTERVAL_MS)),
        async () => void (parts.without = await seconds('none')),
      ];
      for (const step of i % 2 === 1 ? steps.reverse() : steps) await step();
      // The first pair warms up.
      if (i > 0 && parts.kept !== undefined && parts.without !== undefined) costs.push(parts.kept / parts.without - 1);
    }
    const cost = spread(costs);
    const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
    lines.push({
      name: `${CHECKPOINTS}-${query.name}`,
      note: `one every ${INTERVAL_MS} ms costs ${percent(cost.median)} (${percent(cost.min)} to ${percent(cost.max)})`,
      targets: [{ text: `at most ${percent(MOST_COST)}`, reached: cost.median <= MOST_COST }],
    });
  }
  return lines;
}

/** What a checkpoint costs with more and more state and the same change; and to go on from 1 M rows. */
export async function stateCosts(threads: number, quick: boolean): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for (const kind of ['groups', 'rows'] as const) {
    for (const rows of quick ? STATE_ROWS.slice(0, 1) : STATE_ROWS) {
      const folder = mkdtempSync(join(tmpdir(), 'streamsql-bench-'));
      try {
        const job: StateJob = { kind, rows, folder, threads };
        const { checkpoints, recovery } = lastJson<StateOutcome>(
          await runChild('state-child.ts', [JSON.stringify(job)]),
        );
        const [ms, paused, written] = [
          spread(checkpoints.map((one) => one.ms)),
          spread(checkpoints.map((one) => one.pausedMs)),
          spread(checkpoints.map((one) => one.rows)),
        ];
        lines.push({
          name: `${CHECKPOINTS}-${rows / 1e6}M-${kind}`,
          note: `${written.median.toFixed(0)} changed rows in ${ms.median.toFixed(0)} ms (${ms.min.toFixed(0)} to ${ms.max.toFixed(0)}), the stream paused ${paused.max.toFixed(1)} ms; recovery in ${recovery.toFixed(2)} s`,
          targets:
            rows === 1_000_000
              ? [{ text: `recovery within ${MOST_RECOVERY_SECONDS} s`, reached: recovery <= MOST_RECOVERY_SECONDS }]
              : [],
        });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
  }
  return lines;
}
