import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseTestFile } from '../src/testing/parse-file.ts';
import { AS_WRITTEN } from '../src/testing/slicing.ts';
import type { TestCase, TestFile } from '../src/testing/test-file.ts';
import { Random } from './fuzz/random.ts';
import { anywhere, crashes, PLANS, unplanned } from './simulation/plans.ts';
import { SCENARIOS, scenarioText } from './simulation/scenarios.ts';
import { differences, isSimulated, linesOf, simulate } from './simulation/simulation.ts';
import type { Crash } from './simulation/world.ts';

/**
 * Law 3, by a deterministic simulation: the engine over sources, a clock, sinks and a disk that are simulated. It crashes at named
 * steps of an epoch, of a checkpoint and of a recovery, before and after each change on the disk, and in its sinks; the process alone, or with
 * all that was not synced. It is started again with what is left, until it is done. What can be seen then, and on the way, is what can
 * be seen of a run that nothing disturbs: views, late rows, dead letters, positions, watermarks, what sinks got.
 *
 * STREAMSQL_SIMULATION_ROUNDS=N for more: after five rounds every operator has met every point, and after fifteen every fixture a crash.
 */
const ROUNDS = Number(process.env['STREAMSQL_SIMULATION_ROUNDS'] ?? 1);
const SEED = Number(process.env['STREAMSQL_SIMULATION_SEED'] ?? 1);
const EPOCHS = 7;
const rounds = Array.from({ length: ROUNDS }, (_, round) => SEED + round);
/** Of all fixtures one in so many is met by a round. */
const ONE_IN = 15;

const said = (all: readonly Crash[]): string => all.map(({ point, nth, ending }) => `${ending} at ${point} ${nth}`).join(', '); // prettier-ignore

it('every point has its place in a plan', () => {
  expect(unplanned()).toEqual([]);
});

describe('every operator, at every point', () => {
  it.each(SCENARIOS.map((scenario, i) => ({ scenario, i, name: scenario.name })))('$name', async ({ scenario, i }) => {
    for (const round of rounds) {
      const file = parseTestFile(join(import.meta.dirname, 'simulation', 'all.test.sql'), scenarioText(scenario, round, EPOCHS), scenario.name); // prettier-ignore
      const [test] = file.cases as readonly [TestCase];
      const run = { slicing: AS_WRITTEN, seed: round, watchEvery: 3 };
      const expected = linesOf(await simulate(file, test, { ...run, crashes: () => undefined }));
      const planned = crashes(PLANS[(i + round) % PLANS.length] ?? [], new Random(round * 1000 + i));
      const outcome = await simulate(file, test, { ...run, crashes: (life) => planned[life] });
      expect(differences(expected, outcome), `round ${round}: ${said(outcome.crashes)}`).toEqual([]);
      expect(outcome.crashes.length, `round ${round}: ${said(planned)}`).toBeGreaterThan(2);
    }
  }, 120_000 * ROUNDS); // prettier-ignore
});

describe('the fixtures hold though the engine crashes', () => {
  const folder = join(import.meta.dirname, 'fixtures');
  const names = readdirSync(folder).filter((name) => name.endsWith('.test.sql'));
  const cases = names.flatMap((name) => {
    const file = parseTestFile(join(folder, name), readFileSync(join(folder, name), 'utf8'), name);
    return file.cases.filter((test) => isSimulated(file, test)).map((test) => ({ file, test }));
  });
  it(
    `one in ${ONE_IN} of ${cases.length}`,
    async () => {
      const failures: string[] = [];
      for (const round of rounds)
        for (const [i, { file, test }] of cases.entries())
          if ((i + round) % ONE_IN === 0) failures.push(...(await crashing(file, test, round * 10_000 + i)));
      expect(failures).toEqual([]);
    },
    180_000 * ROUNDS,
  );
});

/** What is not as the case expects it, in a run with a few crashes. */
async function crashing(file: TestFile, test: TestCase, seed: number): Promise<readonly string[]> {
  const planned = anywhere(3, new Random(seed));
  const outcome = await simulate(file, test, { slicing: AS_WRITTEN, seed, crashes: (life) => planned[life] });
  const expected = outcome.seen.map(({ expect }) => expect?.block.lines ?? []);
  return differences(expected, outcome).map((difference) => `${file.name}, '${test.name}', seed ${seed}, ${said(outcome.crashes)}: ${difference}`); // prettier-ignore
}
