import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const SCRIPT = resolve(import.meta.dirname, '../scripts/streamsql.ts');
const LIVE = `CREATE SOURCE g (i AS n) WITH (connector = 'generator', rate = 1000);
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS c FROM g;
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-signals-'));
  writeFileSync(join(folder, 'live.sql'), LIVE);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function start(): ChildProcess {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  return spawn(process.execPath, [SCRIPT, 'run', 'live.sql', '--json'], {
    cwd: folder,
    env: { ...env, INIT_CWD: folder },
  });
}

interface Ended {
  readonly code: number | null;
  readonly events: readonly Record<string, unknown>[];
  readonly stderr: string;
}

/** Does `then` after the first epoch that had rows; resolves when the process has ended. */
function afterAnEpoch(child: ChildProcess, then: () => void): Promise<Ended> {
  let [stdout, stderr, begun] = ['', '', false];
  child.stdout?.on('data', (bytes) => {
    stdout += String(bytes);
    if (begun || !/"event":"epoch".*"rows_in":[1-9]/.test(stdout)) return;
    begun = true;
    then();
  });
  child.stderr?.on('data', (bytes) => (stderr += String(bytes)));
  return new Promise((done) => {
    child.on('close', (code) => {
      const lines = stdout.split('\n').slice(0, -1);
      done({ code, stderr, events: lines.map((text) => JSON.parse(text) as Record<string, unknown>) });
    });
  });
}

it.each(['SIGINT', 'SIGTERM'] as const)('%s ends a run after the epoch that is under way', async (signal) => {
  const child = start();
  const { code, events, stderr } = await afterAnEpoch(child, () => child.kill(signal));
  expect(code).toBe(0);
  expect(stderr).toContain('stopping after this batch');
  expect(events.at(-2)).toMatchObject({ event: 'summary', interrupted: true });
  expect(events.at(-1)).toMatchObject({ event: 'done' });
  const epochs = events.filter(({ event }) => event === 'epoch');
  expect(events.at(-1)?.['rows_in']).toBe(epochs.at(-1)?.['rows_in']);
});

it('a second signal ends it at once', async () => {
  const child = start();
  const { code, events } = await afterAnEpoch(child, () => {
    // Both wait for the process when it goes on.
    for (const signal of ['SIGSTOP', 'SIGINT', 'SIGTERM', 'SIGCONT'] as const) child.kill(signal);
  });
  expect([130, 143]).toContain(code);
  expect(events.some(({ event }) => event === 'done')).toBe(false);
});
