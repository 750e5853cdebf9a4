import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseTestFile } from '../src/testing/parse-file.ts';
import { AS_WRITTEN, type Slicing } from '../src/testing/slicing.ts';
import type { TestCase, TestFile } from '../src/testing/test-file.ts';
import { Random } from './fuzz/random.ts';
import { anywhere } from './simulation/plans.ts';
import { differences, linesOf, simulate } from './simulation/simulation.ts';
import type { Crash } from './simulation/world.ts';

/**
 * Laws 2 and 3 where the clock moves watermarks: partitions fall idle, all fall quiet, they come back. However the rows between two
 * times of the clock are cut into epochs, and wherever the engine crashes, the same rows are late and the same windows are closed.
 */
const SEEDS = Array.from({ length: Number(process.env['STREAMSQL_CLOCK_SEEDS'] ?? 2) }, (_, i) => i + 1);
const STRETCHES = 7;
const PARTITIONS = 3;

const HEAD = `
CREATE SOURCE s (k INTEGER, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '2 seconds') WITH (connector = 'feed', idle_timeout = '10 seconds');
CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS n, sum(k) AS ks
FROM TUMBLE(s, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW pairs AS SELECT a.k AS a, b.k AS b FROM s a JOIN s b ON a.ts BETWEEN b.ts - INTERVAL '3 seconds' AND b.ts AND a.k < b.k;
TEST 'the clock';
`;

/** Rows whose times go up in each partition, though not in order, and a clock that goes on now by little, now by more than it takes. */
function scenario(seed: number): string {
  const random = new Random(seed);
  const times = Array.from({ length: PARTITIONS }, () => random.int(0, 20));
  let key = 0;
  const steps: string[] = [];
  for (let i = 0; i < STRETCHES; i++) {
    const partitions = Array.from({ length: PARTITIONS }, (_, p) => p).filter(() => random.oneIn(2));
    for (const partition of partitions.flatMap((p) => (random.oneIn(2) ? [p] : [p, p]))) {
      const rows = Array.from({ length: random.int(1, 3) }, () => {
        times[partition] = (times[partition] ?? 0) + random.int(0, 9);
        return `(${key++}, TIMESTAMP '2024-01-01 00:01:00' + to_seconds(${(times[partition] ?? 0) - random.int(0, 12)}))`;
      });
      steps.push(`FEED s PARTITION ${partition} VALUES ${rows.join(', ')};`);
    }
    // What the clock decides is decided before what comes then.
    steps.push(`ADVANCE CLOCK '${random.pick([1, 4, 11, 30])} seconds';`, 'EXPECT SELECT * FROM closed;');
    steps.push('EXPECT SELECT * FROM pairs;');
    steps.push('EXPECT SELECT view, partition, "offset", watermark, partly FROM _streamsql.late;');
    steps.push('EXPECT SELECT watermark FROM _streamsql.watermarks;');
  }
  return HEAD + steps.join('\n');
}

it.each(SEEDS)('whatever the epochs and the crashes, seed %i', async (seed) => {
  const file: TestFile = parseTestFile(join(import.meta.dirname, 'clock.test.sql'), scenario(seed), 'clock.test.sql');
  const [test] = file.cases as readonly [TestCase];
  const run = (slicing: Slicing, planned: readonly Crash[]) =>
    simulate(file, test, { slicing, seed, crashes: (life) => planned[life] });
  const expected = linesOf(await run(AS_WRITTEN, []));
  expect(differences(expected, await run({ kind: 'single-rows' }, [])), 'an epoch for each row').toEqual([]);
  const random = new Random(seed);
  const crashed = await run({ kind: 'random', seed }, anywhere(4, random));
  expect(differences(expected, crashed), 'with crashes').toEqual([]);
  expect(crashed.crashes.length).toBeGreaterThan(1);
  // Late in a life, so that what is done again has epochs in which the clock had decided.
  const late = [5, 9, 7].map((nth): Crash => ({ point: 'committed', nth, ending: 'killed' }));
  expect(differences(expected, await run(AS_WRITTEN, late)), 'with late crashes').toEqual([]);
}, 120_000); // prettier-ignore
