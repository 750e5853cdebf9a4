import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { ScratchPool } from '../../src/base/connector.ts';
import { Duck, type DuckConnection } from '../../src/exec/duck.ts';
import { openScratch } from '../../src/exec/scratch.ts';

/** What readers are opened with, and a folder that each test has for itself: those of the file that calls `useReaderBench`. */
export let folder: string;
export let connection: DuckConnection;
export let scratch: ScratchPool;

/** Sets them up for the tests of a file. `leave`: what is to happen first after each test. */
export function useReaderBench(name: string, leave: () => Promise<void> = () => Promise.resolve()): void {
  let duck: Duck;
  beforeAll(async () => {
    duck = await Duck.open(':memory:', { threads: '2' });
    connection = await duck.connect();
    scratch = openScratch();
  });
  afterAll(() => {
    scratch.close();
    connection.close();
    duck.close();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), `${name}-`));
    return async () => {
      await leave();
      rmSync(folder, { recursive: true });
    };
  });
}
