import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runTests } from '../src/testing/run-tests.ts';
import { ALL_SLICINGS } from '../src/testing/slicing.ts';

/** Every fixture, cut into epochs in each of the ways: what it expects holds at the same points in all (law 2). */
const folder = join(import.meta.dirname, 'fixtures');
const files = readdirSync(folder).filter((name) => name.endsWith('.test.sql'));

describe('fixtures, however they are cut', () => {
  it.each(files)('%s', async (name) => {
    const lines: string[] = [];
    const { passed, failed } = await runTests([join(folder, name)], {
      update: false,
      onLine: (line) => lines.push(line),
      color: false,
      slicings: ALL_SLICINGS,
    });
    expect(failed, lines.join('\n')).toBe(0);
    expect(passed).toBeGreaterThan(0);
  });
});
