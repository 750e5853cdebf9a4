import { describe, expect, it } from 'vitest';
import { FAULT_POINTS, type FaultPoint } from '../../src/base/fault.ts';
import { playRound, report, withPoints } from './round.ts';
import { FILE_WORKLOADS } from './workload.ts';

/** Law 3 over files (docs/testing.md). STREAMSQL_CRASH_SEED=S for other input and other kills; `npm run torture` for long. */
const SEED = Number(process.env['STREAMSQL_CRASH_SEED'] ?? 11);
const TIMEOUT = 900_000;

const fired = new Set<FaultPoint>();

describe.concurrent('killed again and again, a run over files ends as if it had not been', () => {
  it.each(FILE_WORKLOADS.map((workload, i) => ({ workload, name: workload.name, seed: SEED + i })))(
    '$name',
    async ({ workload, seed }) => {
      const round = await playRound(workload, seed, withPoints(12, 4));
      console.log(report(round));
      for (const point of round.story?.fired ?? []) fired.add(point);
      expect(round.differences.length, report(round)).toBe(0);
      expect(round.story?.kills).toBeGreaterThanOrEqual(11);
      expect(round.story?.replayed).toBeGreaterThan(0);
    },
    TIMEOUT,
  );
});

describe('among the kills', () => {
  it('is one at each named step of an epoch, a checkpoint and a recovery', () => {
    expect(FAULT_POINTS.filter((point) => !fired.has(point))).toEqual([]);
  });
});
