import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open } from '../src/engine.ts';
import { listCheckpoints, readManifest } from '../src/exec/checkpoint/read-manifest.ts';
import { TimedReader, type Timeline } from './support/timed-reader.ts';

/**
 * Sources advance together: what a replay from the start keeps is what live reading keeps, and an epoch or two of rows that were read
 * ahead; and it drops nothing that the delay allows.
 */
interface Subject {
  readonly sources: Readonly<Record<string, { readonly timeline: Timeline; readonly bounded?: boolean }>>;
  readonly sql: string;
}

const MAX_BATCH = 80;
const HOUR = 3600;
const START = 1_700_000_000;

/** From `from`, `count` times, `every` seconds apart. */
const times = (from: number, count: number, every: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => START + from + i * every);

/** The most rows that the operators kept between two epochs, the rows of the view and how many came late. */
async function peak({ sources, sql }: Subject, how: 'live' | 'replay' | 'in no order'): Promise<{ most: number; rows: number; late: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'streamsql-together-'));
  const state = join(folder, 'state');
  const world = how === 'live' ? { until: START, pace: 300 } : { until: Infinity, pace: 0 };
  const engine = await open(
    { db: join(folder, 'results.duckdb'), state, maxBatchRows: MAX_BATCH, batchIntervalMs: 0, checkpointIntervalMs: 0, threads: 1 },
    {
      pollAll: how === 'in no order',
      now: () => 1000 * Math.min(world.until, START + 24 * HOUR),
      openReader: ({ name }) => new TimedReader(name, sources[name]?.timeline ?? [], world),
    },
  ); // prettier-ignore
  let most = 0;
  const look = (): void => {
    const [newest] = listCheckpoints(state);
    const { manifest } = newest === undefined ? {} : readManifest(state, newest);
    const kept = (manifest?.operators ?? []).flatMap(({ tables }) => tables.map(({ rows }) => rows));
    most = Math.max(most, kept.reduce((sum, rows) => sum + rows, 0)); // prettier-ignore
  };
  try {
    for (const [name, { bounded }] of Object.entries(sources)) {
      const from = bounded === true ? `connector = 'file', path = '${name}.json'` : `connector = 'kafka', brokers = '127.0.0.1:1', topic = '${name}'`; // prettier-ignore
      await engine.sql(`CREATE SOURCE ${name} (k BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (${from});`);
    }
    await engine.sql(`CREATE MATERIALIZED VIEW answer AS ${sql};`);
    // What does not end is stopped when all that there is has come.
    const rows = Object.values(sources).flatMap(({ timeline }) => timeline.flat()).length;
    const summary = await engine.run({ stopAfter: { rows }, onEvent: ({ event }) => event === 'checkpoint' && look() });
    return { most, rows: summary.views[0]?.rows ?? 0, late: summary.late };
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
} // prettier-ignore

const SELF = "SELECT a.k AS a, b.k AS b FROM s a JOIN s b ON a.ts BETWEEN b.ts - INTERVAL '6 minutes' AND b.ts AND a.k <> b.k"; // prettier-ignore
const JOIN = "SELECT a.k AS a, b.k AS b FROM a JOIN b ON a.ts BETWEEN b.ts - INTERVAL '60 seconds' AND b.ts";

const SUBJECTS: Readonly<Record<string, Subject>> = {
  'four partitions, skewed by hours': {
    sql: SELF,
    sources: { s: { timeline: [0, 1, 2, 3].map((hour) => times(hour * HOUR, 180, 60)) } },
  },
  'two sources, one ten times as dense': {
    sql: JOIN,
    sources: { a: { timeline: [times(0, 1200, 1)] }, b: { timeline: [times(0, 120, 10)] } },
  },
  'two sources, one with a start that is hours ahead': {
    sql: JOIN,
    sources: { a: { timeline: [times(0, 600, 30)] }, b: { timeline: [times(4 * HOUR, 600, 30)] } },
  },
  'one that ends and one that does not': {
    sql: JOIN,
    sources: { a: { timeline: [times(0, 600, 30)], bounded: true }, b: { timeline: [times(2 * HOUR, 600, 30)] } },
  },
};

describe('the state of a replay', () => {
  it.each(Object.entries(SUBJECTS))('%s', async (name, subject) => {
    const live = await peak(subject, 'live');
    const replay = await peak(subject, 'replay');
    if (process.env['STREAMSQL_SHOW'] !== undefined)
      console.log(name, { live, replay, unordered: await peak(subject, 'in no order') });
    expect([live.late, replay.late, replay.rows]).toEqual([0, 0, live.rows]);
    // While an epoch runs the next one is read.
    expect(replay.most).toBeLessThanOrEqual(live.most + 2 * MAX_BATCH);
  }, 60_000); // prettier-ignore
});

it('files that are small are read many in an epoch, in the order of their times', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'streamsql-small-'));
  const engine = await open({ cwd: folder, maxBatchRows: 100, threads: 1 });
  try {
    const row = (k: number): string => `${JSON.stringify({ k, ts: new Date(1000 * (START + 60 * k)).toISOString() })}\n`;
    // Their names say nothing about their times.
    for (let i = 0; i < 60; i++)
      writeFileSync(join(folder, `${(i * 7) % 60}.json`), Array.from({ length: 5 }, (_, j) => row(5 * i + j)).join(''));
    await engine.sql(`CREATE SOURCE s (k BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (connector = 'file', path = '*.json');
      CREATE MATERIALIZED VIEW v AS SELECT window_start, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '5 minutes') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;`);
    const summary = await engine.run();
    expect([summary.rowsIn, summary.late]).toEqual([300, 0]);
    expect(summary.epochs).toBeLessThan(12);
    // No epoch has what is more than an epoch's rows ahead of the one before.
    const watermarks = await engine.query(`SELECT epoch_us(w.watermark) // 60000000 FROM _streamsql.epochs AS e, unnest(e.watermarks) AS u(w) WHERE w.watermark IS NOT NULL ORDER BY e.epoch`);
    const steps = watermarks.rows.map(([minute]) => Number(minute));
    expect(steps.every((at, i) => i === 0 || at - (steps[i - 1] ?? 0) <= 2 * 100)).toBe(true);
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true });
  }
}); // prettier-ignore
