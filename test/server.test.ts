import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StreamsqlError } from '../src/base/errors.ts';
import type { ReadOptions, ReadPart } from '../src/base/run.ts';
import type { EngineStatus } from '../src/base/status.ts';
import { RunningEngine, tablesOf } from '../src/server/client.ts';
import { listen, type Listening } from '../src/server/listen.ts';

let folder: string;
let listening: Listening | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-server-'));
});
afterEach(async () => {
  await listening?.close();
  listening = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const STATUS: EngineStatus = {
  pid: 1, version: '0', db: 'x', phase: 'running', at: '', since: null, epoch: 7, rowsIn: 0, rowsPerSecond: 0, memory: null,
  sources: [], views: [], sinks: [], checkpoint: null,
}; // prettier-ignore

/** Answers `bytes N` with a row of so many, `wait` when it is told to stop, all else with an error that points at it. */
class Engine {
  waiting = 0;
  stopped = 0;

  async *read(text: string, { signal }: ReadOptions = {}): AsyncGenerator<ReadPart> {
    yield { epoch: 7 };
    yield { columns: [{ name: 'a', type: 'VARCHAR' }] };
    if (text === 'wait') {
      this.waiting++;
      if (signal !== undefined && !signal.aborted) await once(signal, 'abort');
      this.stopped++;
      return;
    }
    const [, bytes] = /^bytes (\d+)$/.exec(text) ?? [];
    if (bytes === undefined) throw new StreamsqlError('BIND', 'no', { span: { start: 1, end: 2 }, hint: 'other' });
    for (let left = Number(bytes); left > 0; left -= 1000) yield { rows: [['x'.repeat(Math.min(left, 1000))]] };
  }

  status(): Promise<EngineStatus> {
    return Promise.resolve(STATUS);
  }
}

async function reach(db: string): Promise<RunningEngine> {
  const engine = await RunningEngine.at(db);
  if (engine === undefined) throw new Error(`nobody listens for ${db}`);
  return engine;
}

const database = (...path: readonly string[]): string => {
  const db = join(folder, ...path);
  mkdirSync(dirname(db), { recursive: true });
  writeFileSync(db, '');
  return db;
};

const eventually = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

it('listens beside the database, for its owner only, and leaves nothing', async () => {
  const db = database('a.duckdb');
  listening = await listen(new Engine(), db);
  expect(statSync(`${db}.sock`).mode & 0o777).toBe(0o600);
  expect(await (await reach(db)).status()).toEqual(STATUS);
  await listening.close();
  listening = undefined;
  expect(existsSync(`${db}.sock`)).toBe(false);
  expect(await RunningEngine.at(db)).toBeUndefined();
});

it('is reached through a link where the path is too long for a socket', async () => {
  const db = database('d'.repeat(60), 'e'.repeat(60), 'a.duckdb');
  listening = await listen(new Engine(), db);
  const target = readlinkSync(`${db}.sock`);
  expect(statSync(dirname(target)).mode & 0o777).toBe(0o700);
  expect(statSync(target).mode & 0o777).toBe(0o600);
  expect(await (await reach(db)).status()).toEqual(STATUS);
  await listening.close();
  listening = undefined;
  expect([lstatSync(`${db}.sock`, { throwIfNoEntry: false }), existsSync(dirname(target))]).toEqual([undefined, false]);
});

it('takes the place of a socket that nobody listens on, and of nothing else', async () => {
  const db = database('a.duckdb');
  // As a killed process leaves it.
  const left = createServer().listen(`${db}.aside`);
  await once(left, 'listening');
  const { renameSync } = await import('node:fs');
  renameSync(`${db}.aside`, `${db}.sock`);
  left.close();
  await once(left, 'close');
  expect(statSync(`${db}.sock`).isSocket()).toBe(true);
  expect(await RunningEngine.at(db)).toBeUndefined();
  listening = await listen(new Engine(), db);
  expect(await (await reach(db)).status()).toEqual(STATUS);
  const other = database('b.duckdb');
  writeFileSync(`${other}.sock`, 'mine');
  await expect(listen(new Engine(), other)).rejects.toThrow('is no socket');
});

it('hands on answers of any size, also to a client that is slow, and errors with their place', async () => {
  const db = database('a.duckdb');
  listening = await listen(new Engine(), db);
  const engine = await reach(db);
  const slow = engine.read('bytes 30000000', { cwd: folder });
  expect((await slow.next()).value).toEqual({ epoch: 7 });
  const [quick] = await tablesOf(engine.read('bytes 2500', { cwd: folder }));
  expect(quick?.rows.map(([text]) => String(text).length)).toEqual([1000, 1000, 500]);
  const [table] = await tablesOf(slow);
  expect(table?.rows).toHaveLength(30000);
  const failed = tablesOf(engine.read('nonsense', { cwd: folder }));
  await expect(failed).rejects.toMatchObject({ code: 'BIND', span: { start: 1, end: 2 }, hint: 'other' });
});

it('lets two queries in at a time, tells others that they wait, and ends those whose client has gone', async () => {
  const db = database('a.duckdb');
  const served = new Engine();
  listening = await listen(served, db);
  const engine = await reach(db);
  const gone = new AbortController();
  const ask = (): Promise<unknown> =>
    tablesOf(engine.read('wait', { cwd: folder, signal: gone.signal })).catch((error: unknown) => error);
  const two = [ask(), ask()];
  await eventually(() => served.waiting === 2);
  const waits: unknown[] = [];
  const third = tablesOf(engine.read('bytes 10', { cwd: folder, onWait: (queue) => waits.push(queue) }));
  await eventually(() => waits.length > 0);
  expect(waits).toEqual([{ running: 2, before: 0 }]);
  expect(await engine.status()).toEqual(STATUS);
  gone.abort();
  await Promise.all(two);
  expect((await third)[0]?.rows).toEqual([['xxxxxxxxxx']]);
  await eventually(() => served.stopped === 2);
});

it('says so to a client of another version, and to one that speaks otherwise', async () => {
  const db = database('a.duckdb');
  listening = await listen(new Engine(), db);
  const said = async (request: string): Promise<string> => {
    const socket = connect(`${db}.sock`);
    socket.write(request);
    let text = '';
    for await (const bytes of socket) text += String(bytes);
    return text;
  };
  expect(await said('{"streamsql":99,"ask":"status"}\n')).toContain('"code":"USAGE"');
  expect(await said('{"streamsql":1,"ask":"drop"}\n')).toContain('"code":"USAGE"');
  expect(await said('hello\n')).toContain('"error"');
});
