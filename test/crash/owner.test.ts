import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EngineProcess, type JsonEvent } from './engine-process.ts';

const LIVE = `CREATE SOURCE g (i AS n) WITH (connector = 'generator', rate = 2000);
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS c, max(i) AS m FROM g;
SELECT c = m + 1 AS whole FROM total;
`;

let folder: string;
const running: EngineProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-owner-'));
  writeFileSync(join(folder, 'live.sql'), LIVE);
});
afterEach(async () => {
  for (const engine of running.splice(0)) {
    engine.kill('SIGKILL');
    await engine.ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

function start(db: string, state: string): EngineProcess {
  const engine = new EngineProcess(folder, ['run', 'live.sql', '--db', db, '--state', state]);
  running.push(engine);
  return engine;
}

const anEpoch = (event: JsonEvent): boolean => event.event === 'epoch' && Number(event['rows_in']) > 0;

it.each([
  ['the same database and state', 'a.duckdb', 'a.state'],
  ['the same database', 'a.duckdb', 'b.state'],
  ['the same state', 'b.duckdb', 'a.state'],
])('a second process on %s is refused and says whose it is; the first goes on', async (_, db, state) => {
  const first = start('a.duckdb', 'a.state');
  await first.until(anEpoch);
  const second = start(db, state);
  const { code, stderr } = await second.ended;
  expect(code).toBe(3);
  expect(stderr).toContain('error[LOCKED]');
  expect(stderr).toContain(String(first.pid));
  await first.until(anEpoch);
  const whole = first.until((event) => event.event === 'result');
  first.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ code: 0 });
  expect((await whole)?.['rows']).toEqual([[true]]);
});

it('what a killed process held is taken over', async () => {
  const first = start('a.duckdb', 'a.state');
  await first.until(anEpoch);
  first.kill('SIGKILL');
  await first.ended;
  expect(JSON.parse(readFileSync(join(folder, 'a.state/streamsql.json'), 'utf8'))).toMatchObject({ status: 'running', pid: first.pid }); // prettier-ignore
  await goesOn();
});

it.each(['SIGINT', 'SIGTERM'] as const)('a run that %s stopped is gone on with by the same command', async (signal) => {
  const first = start('a.duckdb', 'a.state');
  await first.until(anEpoch);
  first.kill(signal);
  expect(await first.ended).toMatchObject({ code: 0 });
  await goesOn();
});

async function goesOn(): Promise<void> {
  const second = start('a.duckdb', 'a.state');
  const resumed = second.until((event) => event.event === 'resumed');
  const whole = second.until((event) => event.event === 'result');
  await second.until(anEpoch);
  second.kill('SIGTERM');
  expect(await second.ended).toMatchObject({ code: 0 });
  expect((await resumed)?.['epoch']).toBeGreaterThanOrEqual(1);
  expect((await whole)?.['rows']).toEqual([[true]]);
}
