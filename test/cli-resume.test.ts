import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const SCRIPT = resolve(import.meta.dirname, '../scripts/streamsql.ts');
const LIVE = `CREATE SOURCE g (i AS n, k AS n % 10) WITH (connector = 'generator', rate = 2000);
CREATE MATERIALIZED VIEW total AS SELECT k, count(*) AS c, sum(i) AS s FROM g GROUP BY k;
SELECT sum(c) * (sum(c) - 1) / 2 = sum(s) AS whole FROM total;
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-resume-'));
  writeFileSync(join(folder, 'live.sql'), LIVE);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Event = Readonly<Record<string, unknown>>;

function start(...args: readonly string[]): ChildProcess {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  return spawn(process.execPath, [SCRIPT, ...args], { cwd: folder, env: { ...env, INIT_CWD: folder } });
}

function ended(child: ChildProcess): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (bytes) => (stdout += String(bytes)));
  child.stderr?.on('data', (bytes) => (stderr += String(bytes)));
  return new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr })));
} // prettier-ignore

const json = (stdout: string): readonly Event[] => stdout.trimEnd().split('\n').map((text) => JSON.parse(text) as Event); // prettier-ignore

async function run(...options: readonly string[]): Promise<readonly Event[]> {
  const { code, stdout, stderr } = await ended(start('run', 'live.sql', '--json', ...options));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return json(stdout);
}

const named = (events: readonly Event[], name: string): readonly Event[] =>
  events.filter(({ event }) => event === name);

/** Resolves when so many checkpoints have been written. */
function checkpoints(child: ChildProcess, count: number): Promise<void> {
  let text = '';
  return new Promise((done) => {
    child.stdout?.on('data', (bytes) => {
      text += String(bytes);
      if (text.split('"event":"checkpoint"').length > count) done();
    });
  });
}

async function looksWhole(): Promise<void> {
  const list = await ended(start('state', 'ls', 'live.state', '--format', 'json'));
  expect(list).toMatchObject({ code: 0, stderr: '' });
  const found = JSON.parse(list.stdout) as { state: string }[];
  expect(found.length).toBeGreaterThan(0);
  expect(found.every(({ state }) => state === 'valid')).toBe(true);
  const show = await ended(start('state', 'show', 'live.state', '--view', 'total', '--format', 'json'));
  expect(show).toMatchObject({ code: 0, stderr: '' });
  const [, rows] = Object.values(JSON.parse(show.stdout) as Record<string, unknown[]>);
  expect(rows).toHaveLength(10);
}

it('a state folder is looked into while a run goes on in it, and after it was killed; then the run is resumed', async () => {
  const child = start('run', 'live.sql', '--json', '--checkpoint-interval', '200', '--keep', '2');
  const outcome = ended(child);
  await checkpoints(child, 4);
  await looksWhole();
  child.kill('SIGKILL');
  expect((await outcome).code).toBe(null);
  await looksWhole();
  const events = await run('--stop-after-epochs', '2');
  const [resumed] = named(events, 'resumed');
  expect(resumed?.['checkpoint']).toBeGreaterThan(0);
  const epochs = named(events, 'epoch');
  expect(epochs).toHaveLength(2);
  expect(epochs[0]?.['epoch']).toBe(Number(resumed?.['epoch']) + 1);
  expect(named(events, 'result')).toMatchObject([{ rows: [[true]] }]);
});

it('a run stops by itself after so many epochs, rows or so long, with a checkpoint, and goes on', async () => {
  const first = await run('--stop-after-rows', '1');
  expect(named(first, 'resumed')).toEqual([]);
  expect(named(first, 'summary')).toMatchObject([{ interrupted: true }]);
  expect(named(first, 'checkpoint').at(-1)?.['epoch']).toBe(named(first, 'epoch').at(-1)?.['epoch']);
  const second = await run('--stop-after', '100ms');
  expect(named(second, 'resumed')).toMatchObject([{ checkpoint: named(first, 'epoch').at(-1)?.['epoch'] }]);
  expect(named(second, 'result')).toMatchObject([{ rows: [[true]] }]);
  const { code, stderr } = await ended(start('run', 'live.sql', '--stop-after-epochs', '1'));
  expect(code).toBe(0);
  expect(stderr).toMatch(/^resumed from the checkpoint of epoch \d+ in \d/m);
});
