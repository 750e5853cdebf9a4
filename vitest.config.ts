import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Brokers that are killed and started on purpose must not compete with the other tests for two cores.
    maxWorkers: 1,
  },
});
