import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Half of what the tests do is wait: for brokers, for processes that are killed and started. More would only compete.
    maxWorkers: 2,
  },
});
