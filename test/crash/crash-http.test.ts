import { expect, it } from 'vitest';
import { INTAKE_FAULT_POINTS } from '../../src/base/fault.ts';
import type { Disturbance } from './disturbance.ts';
import { playHttpRound } from './http-round.ts';
import { report } from './round.ts';

const SEED = Number(process.env['STREAMSQL_CRASH_SEED'] ?? 31);

/** At each step of keeping what comes, early and late, and at some others. */
const OTHERS = ['committing', 'checkpoint-manifest-renamed', 'recovery-epoch-replayed'] as const;

it('killed again and again, a run over http has what it answered once, and ends as if it had not been', async () => {
  const round = await playHttpRound(SEED, (random) => {
    const faults = INTAKE_FAULT_POINTS.flatMap((point): readonly Disturbance[] =>
      [1, random.int(2, 12)].map((nth) => ({ kind: 'fault', point, nth })),
    );
    const others = OTHERS.map((point): Disturbance => ({ kind: 'fault', point, nth: random.int(1, 2) }));
    const kill: Disturbance = { kind: 'kill', epochs: 2, ms: random.int(0, 60) };
    return random.some([...faults, ...others, kill], 8, 8);
  });
  console.log(report(round));
  expect(round.differences.length, report(round)).toBe(0);
  for (const point of INTAKE_FAULT_POINTS) expect(round.story?.fired).toContain(point);
  expect(round.story?.kills).toBeGreaterThanOrEqual(7);
}, 300_000);
