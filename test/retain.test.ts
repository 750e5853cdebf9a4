import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OpenOptions, RunEvent, RunOptions } from '../src/base/run.ts';
import type { FaultPoint } from '../src/base/fault.ts';
import { overview } from '../src/cli/state-overview.ts';
import { open, type EngineHost } from '../src/engine.ts';
import { listCheckpoints, readManifest } from '../src/exec/checkpoint/read-manifest.ts';

/** Views that are added after what they are to start from is gone from the source: files that are removed once they are read. */

const RECORDS = 1200;
const SOURCES = {
  json: `CREATE SOURCE bids (k VARCHAR, v INT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL 1 SECOND)
    WITH (connector = 'file', path = 'in/bids*.json', retain = '1 hour');`,
  csv: `CREATE SOURCE bids (k VARCHAR, v INT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL 1 SECOND)
    WITH (connector = 'file', path = 'in/bids*.csv', retain = '1 hour');`,
};
const LIVE = 'CREATE MATERIALIZED VIEW live AS SELECT k, count(*) AS n, sum(v) AS s FROM bids GROUP BY k;';
const ADDED = `CREATE MATERIALIZED VIEW closed AS SELECT window_start, k, count(*) AS n
    FROM TUMBLE(bids, ts, INTERVAL 10 SECONDS) GROUP BY window_start, k EMIT ON WINDOW CLOSE;
  CREATE MATERIALIZED VIEW inOrder AS SELECT k, list(v) AS all_of_them FROM bids GROUP BY k;
  CREATE MATERIALIZED VIEW best AS SELECT k, n FROM live ORDER BY n DESC, k LIMIT 3;`;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'retain-'));
  mkdirSync(join(folder, 'in'));
  // The second file begins when the first has ended.
  for (const file of [0, 1]) {
    const rows = Array.from({ length: RECORDS / 2 }, (_, i) => {
      const ts = new Date(1_700_000_000_000 + file * 100_000 + i * 100 - (i % 7) * 300).toISOString().slice(0, -1);
      return { k: `k${(i * 7 + file) % 10}`, v: i % 50 === 7 ? 'bad' : i % 13, ts };
    });
    const json = rows.map((row) => `${JSON.stringify(row)}\n`);
    if (file === 0) json.splice(5, 0, '\n', '  {"k": "\u00fc", "v": 1, "ts": "2023-11-14 22:13:20"} \r\n');
    writeFileSync(join(folder, `in/bids${file}.json`), json.join(''));
    const csv = rows.map(({ k, v, ts }) => `"${k}",${v},"${v === 3 ? ts.replace('T', '\n') : ts}"\n`);
    writeFileSync(join(folder, `in/bids${file}.csv`), `k,v,ts\n${csv.join('')}`);
  }
  cpSync(join(folder, 'in'), join(folder, 'whole/in'), { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly events: readonly RunEvent[];
  readonly warnings: readonly string[];
}

interface How extends OpenOptions {
  readonly in?: 'whole';
  readonly fault?: EngineHost['fault'];
}

async function ran(sql: string, { in: place, fault, ...options }: How = {}, run: RunOptions = {}): Promise<Ran> {
  const cwd = join(folder, place ?? '.');
  const events: RunEvent[] = [];
  const given = { db: join(cwd, 'run.duckdb'), state: join(cwd, 'run.state'), cwd, maxBatchRows: 50, threads: 2 };
  const engine = await open({ ...given, ...options }, fault === undefined ? {} : { fault });
  try {
    await engine.sql(sql);
    await engine.run({ ...run, onEvent: (event) => events.push(event) });
  } finally {
    await engine.close();
  }
  return { events, warnings: warningsOf(events) };
}

const warningsOf = (events: readonly RunEvent[]): readonly string[] =>
  events.flatMap((event) => (event.event === 'warning' && !event.message.startsWith('best:') ? event.message : []));

async function asked(text: string, place = '.'): Promise<readonly (readonly unknown[])[]> {
  const reader = await open({ db: join(folder, place, 'run.duckdb') });
  try {
    return (await reader.query(text)).rows;
  } finally {
    await reader.close();
  }
}

/** The views are those of one run over all that there ever was. */
async function itIsWhole(sql: string): Promise<void> {
  await ran(sql, { in: 'whole' });
  for (const view of ['live', 'closed', 'inOrder', 'best'])
    expect(await asked(`FROM ${view} ORDER BY ALL`), view).toEqual(await asked(`FROM ${view} ORDER BY ALL`, 'whole'));
  const late = 'SELECT view, partition, "offset" FROM _streamsql.late ORDER BY ALL';
  expect(await asked(`SELECT * FROM (${late}) WHERE view = 'closed'`)).toEqual(await asked(`SELECT * FROM (${late}) WHERE view = 'closed'`, 'whole')); // prettier-ignore
}

const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

const PART: RunOptions = { stopAfter: { rows: (RECORDS * 3) / 4 } };
const retained = (): readonly string[] => readdirSync(join(folder, 'run.state/retained'));
const remove = (): void => {
  for (const kind of ['json', 'csv']) rmSync(join(folder, `in/bids0.${kind}`));
};

describe.each(['json', 'csv'] as const)('a source of %s with retain', (kind) => {
  const source = SOURCES[kind];

  test('gives a view that is added what is in no file any more', async () => {
    await ran(source + LIVE, {}, PART);
    expect(retained().length).toBeGreaterThan(0);
    remove();
    const { warnings } = await ran(source + LIVE + ADDED);
    expect(warnings).toEqual([]);
    await itIsWhole(source + LIVE + ADDED);
  });

  test('and over crashes and checkpoints that fail', async () => {
    const counts = new Map<FaultPoint, number>();
    const failing: readonly FaultPoint[] = ['checkpoint-data-written', 'checkpoint-data-synced', 'checkpoint-manifest-synced']; // prettier-ignore
    const fault: EngineHost['fault'] = (point) => {
      const n = (counts.get(point) ?? 0) + 1;
      counts.set(point, n);
      if (failing.includes(point) && n % 3 === 0) throw new Error('the disk is full');
      if (point === 'committed' && n === 22) throw new Error('an outage');
    };
    await expect(ran(source + LIVE, { checkpointIntervalMs: 1, fault })).rejects.toThrow('an outage');
    remove();
    await ran(source + LIVE, { checkpointIntervalMs: 1 }, { stopAfter: { epochs: 2 } });
    await ran(source + LIVE + ADDED);
    await itIsWhole(source + LIVE + ADDED);
  });
});

test('without it, the view is refused', async () => {
  const source = SOURCES.json.replace(", retain = '1 hour'", '');
  await ran(source + LIVE, {}, PART);
  remove();
  await expect(ran(source + LIVE + ADDED)).rejects.toMatchObject({ code: 'GAP' });
});

test('may be switched off and on: then it begins anew', async () => {
  await ran(SOURCES.json + LIVE, {}, { stopAfter: { rows: 100 } });
  await ran(SOURCES.json.replace(", retain = '1 hour'", '') + LIVE, {}, { stopAfter: { rows: 100 } });
  await ran(SOURCES.json + LIVE, { keepCheckpoints: 1 }, { stopAfter: { rows: RECORDS / 2 } });
  await ran(SOURCES.json + LIVE + ADDED);
  await itIsWhole(SOURCES.json + LIVE + ADDED);
});

test('a damaged file is of no matter to a run that adds nothing; to a view that is added it is', async () => {
  await ran(SOURCES.json + LIVE, {}, { stopAfter: { rows: 300 } });
  await ran(SOURCES.json + LIVE, {}, { stopAfter: { rows: RECORDS / 2 } });
  remove();
  const files = retained().map((name) => join(folder, 'run.state/retained', name));
  expect(files.length).toBe(2);
  for (const file of files) truncateSync(file, 100);
  expect((await ran(SOURCES.json + LIVE, {}, { stopAfter: { epochs: 1 } })).warnings).toEqual([]);
  await expect(ran(SOURCES.json + LIVE + ADDED)).rejects.toMatchObject({
    code: 'GAP',
    message: matching(/^source bids: of in\/bids0.json there is nothing from 0 to \d+: retained\/bids-.*parquet has 100 bytes, not \d+, and the source has it no more/),
    hint: expect.stringContaining('--on-gap skip') as string,
  }); // prettier-ignore
  const { warnings } = await ran(SOURCES.json + LIVE + ADDED, { onGap: 'skip' });
  expect(warnings).toEqual([matching(/what it held is looked for/), matching(/in\/bids0.json, 0 to \d+, is lost: the views that are added go without/)]); // prettier-ignore
  expect(Number((await asked('SELECT sum(n) FROM closed'))[0]?.[0])).toBeLessThan(RECORDS / 2 + 1);
});

test('a view that is added starts as far back as records are kept, and says from when', async () => {
  let now = 1_800_000_000_000;
  const hours = async (sql: string, run?: RunOptions): Promise<readonly string[]> => {
    const events: RunEvent[] = [];
    const engine = await open({ db: join(folder, 'run.duckdb'), state: join(folder, 'run.state'), cwd: folder, maxBatchRows: 50, checkpointIntervalMs: 1 }, { now: () => (now += 60_000) }); // prettier-ignore
    await engine.sql(sql);
    await engine.run({ ...run, onEvent: (event) => events.push(event) });
    await engine.close();
    return warningsOf(events);
  };
  await hours(SOURCES.json + LIVE, PART);
  now += 3_600_000;
  await hours(SOURCES.json + LIVE, { stopAfter: { rows: 100 } });
  remove();
  const warnings = await hours(SOURCES.json + LIVE + ADDED);
  expect(warnings).toEqual([matching(/^source bids: the views that are added start with what is still there, what came since 2027-01-15T.*: in\/bids0.json from \d+/)]); // prettier-ignore
  expect(await asked('SELECT count(*) FROM live')).not.toEqual([['0']]);
});

test('keeps nothing where no state is kept, and says so', async () => {
  const message = 'source bids: retain keeps nothing in a run without checkpoints in a state folder';
  const engine = await open({ cwd: folder });
  const events: RunEvent[] = [];
  await engine.sql(SOURCES.json + LIVE);
  await engine.run({ onEvent: (event) => events.push(event) });
  await engine.close();
  expect(events).toContainEqual({ event: 'warning', message });
  expect((await ran(SOURCES.json + LIVE, { checkpoints: false })).warnings).toEqual([message]);
});

test('any Parquet reader finds the records', async () => {
  await ran(SOURCES.json + LIVE, {}, PART);
  const select = `SELECT partition, count(*), min("offset"), count(*) FILTER (payload LIKE '{"k"%'), count(bytes), count(reason) FROM '${folder}/run.state/retained/*.parquet' GROUP BY 1 ORDER BY 1`;
  const [first, second] = await asked(select);
  expect(first).toEqual(['in/bids0.json', '601', '0', '601', '0', '0']);
  expect(second?.slice(0, 3)).toMatchObject(['in/bids1.json', matching(/^[1-9]/), '0']);
  const state = join(folder, 'run.state');
  const { manifest } = readManifest(state, listCheckpoints(state)[0] ?? 0);
  const shown = manifest && overview(manifest).find(({ name }) => name === 'retained')?.table.rows;
  expect(shown?.map(([source, partition, from]) => [source, partition, from])).toEqual([['bids', 'in/bids0.json', 0], ['bids', 'in/bids1.json', 0]]); // prettier-ignore
});
