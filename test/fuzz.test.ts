import { describe, expect, it } from 'vitest';
import { campaign, QUERIES_OF_A_GROUP, summary } from './fuzz/campaign.ts';

/**
 * Laws 1 and 2 over random queries, data and slicings (docs/testing.md). STREAMSQL_FUZZ_CASES=N for more, STREAMSQL_FUZZ_SEED=S
 * for others; `npm run fuzz` for long.
 */
const CASES = Number(process.env['STREAMSQL_FUZZ_CASES'] ?? 2100);
const SEED = Number(process.env['STREAMSQL_FUZZ_SEED'] ?? 1_000_000);
/** Of the cases, at least so many run. */
const LEAST_SHARE_RUN = 0.98;

describe('random queries', () => {
  it(`answer as DuckDB does after every epoch (${CASES} cases from seed ${SEED})`, async () => {
    const tally = await campaign({ seed: SEED, groups: Math.ceil(CASES / QUERIES_OF_A_GROUP), shrinkMs: 60_000, mostFailures: 3 }); // prettier-ignore
    console.log(summary(tally));
    expect(tally.failures.join('\n')).toBe('');
    expect(tally.invalid.length, tally.invalid.join('\n')).toBeLessThanOrEqual(CASES / 50);
    expect(tally.ran / (tally.ran + tally.refused)).toBeGreaterThanOrEqual(LEAST_SHARE_RUN);
  }, 900_000);
});
