import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Half of what the tests do is wait: for brokers, for processes that are killed and started. More would only compete.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
