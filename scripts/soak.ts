import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { StreamsqlError } from '../src/base/errors.ts';
import { open } from '../src/engine.ts';

const USAGE = `usage: npm run soak -- --minutes N [--rate R] [--every S] [--checkpoint-interval MS]

Runs scripts/soak.sql at a steady rate, and shows whether memory, state folder, database and the time of an epoch level off.
  --minutes   for so long
  --rate      rows a second (10000)
  --every     a line each so many seconds (30)
  --checkpoint-interval  ms (10000)`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    rate: { type: 'string', default: '10000' },
    every: { type: 'string', default: '30' },
    'checkpoint-interval': { type: 'string', default: '10000' },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error(USAGE);
  process.exit(2);
}

/** What is looked at, each a number that may not go on growing. */
const MEASURES = ['RSS, MB', 'state, MB', 'database, MB', 'epoch p50, ms', 'epoch p99, ms'] as const;
type Line = Readonly<Record<(typeof MEASURES)[number], number>>;

/** How much more the last third of the lines may show than the middle third. */
const LEVEL = 1.1;

const folder = mkdtempSync(join(tmpdir(), 'streamsql-soak-'));
const [db, state] = [join(folder, 'soak.duckdb'), join(folder, 'soak.state')];
const engine = await open({
  db,
  state,
  checkpointIntervalMs: Number(values['checkpoint-interval']),
  variables: { RATE: values.rate, TENTH: String(Math.max(1, Math.round(Number(values.rate) / 10))) },
});
const stop = new AbortController();
const arrived = new Map<number, number>();
const lines: Line[] = [];
let rows = 0;
let checkpoints = 0;
try {
  await engine.sql(readFileSync(join(import.meta.dirname, 'soak.sql'), 'utf8'), 'soak.sql');
  const running = engine.run({
    signal: stop.signal,
    onEvent: (event) => {
      if (event.event === 'epoch') {
        arrived.set(event.epoch, Date.now());
        rows = event.rowsIn;
      }
      if (event.event === 'checkpoint') checkpoints++;
      if (event.event === 'warning') console.log(`warning: ${event.message}`);
    },
  });
  running.catch(() => stop.abort());
  console.log(['minute', 'rows', 'checkpoints', 'epochs', ...MEASURES].join(' | '));
  const started = performance.now();
  for (let n = 1; n * Number(values.every) <= minutes * 60 && !stop.signal.aborted; n++) {
    await until(started + n * Number(values.every) * 1000);
    const { line, epochs } = await measure();
    lines.push(line);
    const head = [((performance.now() - started) / 60_000).toFixed(1), rows, checkpoints, epochs];
    console.log([...head, ...MEASURES.map((name) => line[name].toFixed(1))].join(' | '));
  }
  stop.abort();
  await running;
} catch (error) {
  console.error(error instanceof StreamsqlError ? `${error.code}: ${error.message}` : error);
  process.exitCode = 3;
} finally {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
}
if (process.exitCode === undefined) process.exitCode = verdict() ? 0 : 1;

function until(time: number): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, time - performance.now());
    stop.signal.addEventListener('abort', () => done(clearTimeout(timer)), { once: true });
  });
}

/** Since the last line; an epoch's time is from its clock, before it is decoded, to the event after its last sink. */
async function measure(): Promise<{ line: Line; epochs: number }> {
  const { rows: clocks } = await engine.query(
    `SELECT CAST(epoch AS INTEGER), CAST(epoch_ms(clock) AS DOUBLE) FROM _streamsql.epochs WHERE epoch >= ${Math.min(...arrived.keys())}`,
  );
  const times = clocks.flatMap(([epoch, clock]) => {
    const at = arrived.get(Number(epoch));
    return at === undefined ? [] : [at - Number(clock)];
  });
  arrived.clear();
  times.sort((a, b) => a - b);
  const quantile = (q: number): number => times[Math.min(times.length - 1, Math.floor(times.length * q))] ?? 0;
  const MB = 1e6;
  return {
    epochs: times.length,
    line: {
      'RSS, MB': process.memoryUsage.rss() / MB,
      'state, MB': (await folderBytes(state)) / MB,
      'database, MB': (sizeOf(db) + sizeOf(`${db}.wal`)) / MB,
      'epoch p50, ms': quantile(0.5),
      'epoch p99, ms': quantile(0.99),
    },
  };
}

async function folderBytes(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.reduce((sum, entry) => sum + (entry.isFile() ? sizeOf(join(entry.parentPath, entry.name)) : 0), 0);
}

/** Files come and go while they are counted. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Whether each measure levelled off: its mean over the last third of the time against that over the third before. */
function verdict(): boolean {
  const third = Math.floor(lines.length / 3);
  const mean = (name: (typeof MEASURES)[number], of: readonly Line[]): number =>
    of.reduce((sum, line) => sum + line[name], 0) / Math.max(1, of.length);
  console.log(`\n${rows} rows, ${checkpoints} checkpoints; the last third of the time against the middle third:`);
  const level = MEASURES.map((name) => {
    const [middle, last] = [mean(name, lines.slice(-2 * third, -third)), mean(name, lines.slice(-third))];
    const isLevel = third > 0 && last <= middle * LEVEL;
    console.log(`${name}: ${middle.toFixed(1)} -> ${last.toFixed(1)}: ${isLevel ? 'levelled off' : 'STILL GROWING'}`);
    return isLevel;
  });
  return level.every(Boolean);
}
