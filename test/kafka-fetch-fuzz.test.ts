import { expect, it } from 'vitest';
import { originals, tryOne, type Tally } from './support/fetch-fuzz.ts';

/** STREAMSQL_FETCH_SEED=N tries one response alone, as a failure names it; STREAMSQL_FETCH_RUNS=N more of them. */
const SEED = process.env['STREAMSQL_FETCH_SEED'];
const RUNS = Number(process.env['STREAMSQL_FETCH_RUNS'] ?? 200_000);

it('of mutated answers to fetches gives their records, or less, or says that they are damaged', () => {
  const all = originals();
  const tally: Tally = { whole: 0, shorter: 0, damaged: 0, refused: 0 };
  const seeds = SEED === undefined ? Array.from({ length: RUNS }, (_, i) => i) : [Number(SEED)];
  for (const seed of seeds) {
    try {
      tryOne(all, seed, tally);
    } catch (cause) {
      throw new Error(`STREAMSQL_FETCH_SEED=${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  }
  if (SEED === undefined) for (const count of Object.values(tally)) expect(count).toBeGreaterThan(RUNS / 50);
}, 300_000);
