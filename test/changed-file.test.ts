import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OpenOptions, RunEvent, RunOptions } from '../src/base/run.ts';
import { open } from '../src/engine.ts';

/** A file that is changed between two runs of it: the second goes on where the first stopped. */

const SOURCE = `CREATE SOURCE bids (k VARCHAR, v INT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL 1 SECOND)
  WITH (connector = 'file', path = 'bids*.json');`;
const LIVE = 'CREATE MATERIALIZED VIEW live AS SELECT k, count(*) AS n, sum(v) AS s FROM bids GROUP BY k;';
const CLOSED = `CREATE MATERIALIZED VIEW closed AS SELECT window_start, k, count(*) AS n
  FROM TUMBLE(bids, ts, INTERVAL 10 SECONDS) GROUP BY window_start, k EMIT ON WINDOW CLOSE;`;
const TABLE = `CREATE TABLE names (k VARCHAR PRIMARY KEY, label VARCHAR);
  INSERT INTO names SELECT 'k' || i, 'one' FROM range(10) AS r(i);`;

const RECORDS = 1200;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'changed-'));
  for (const file of [0, 1]) {
    const lines = Array.from({ length: RECORDS / 2 }, (_, i) => {
      const ts = new Date(1_700_000_000_000 + i * 100 - (i % 7) * 300).toISOString().slice(0, -1);
      return JSON.stringify({ k: `k${(i * 7 + file) % 10}`, v: i % 13, ts });
    });
    writeFileSync(join(folder, `bids${file}.json`), `${lines.join('\n')}\n`);
  }
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly events: readonly RunEvent[];
  readonly query: (sql: string) => Promise<readonly (readonly unknown[])[]>;
}

/** One run, closed at its end; what is asked of it is asked of its database. */
async function ran(sql: string, options: OpenOptions = {}, run: RunOptions = {}, state = 'run'): Promise<Ran> {
  const events: RunEvent[] = [];
  const paths = { db: join(folder, `${state}.duckdb`), state: join(folder, `${state}.state`), cwd: folder };
  const engine = await open({ ...paths, maxBatchRows: 50, threads: 2, ...options });
  try {
    await engine.sql(sql);
    await engine.run({ ...run, onEvent: (event) => events.push(event) });
  } finally {
    await engine.close();
  }
  return {
    events,
    async query(text) {
      const reader = await open({ db: paths.db });
      try {
        return (await reader.query(text)).rows;
      } finally {
        await reader.close();
      }
    },
  };
}

const HALF: RunOptions = { stopAfter: { rows: RECORDS / 2 } };

describe('a file that changed', () => {
  test('comments, spacing and order are no change', async () => {
    await ran(SOURCE + LIVE + CLOSED, {}, HALF);
    const again = `-- another order\n${SOURCE.replace('v INT', 'v  /* value */ INT')}\n${CLOSED.replaceAll(' ', '  ')} ${LIVE}`;
    const { events } = await ran(again);
    expect(events.map((event) => event.event)).toContain('resumed');
  });

  test('a view that is added is filled from the start of its sources', async () => {
    await ran(SOURCE + LIVE, {}, HALF);
    const added = `${CLOSED}
      CREATE MATERIALIZED VIEW best AS SELECT k, n FROM live ORDER BY n DESC, k LIMIT 3;
      CREATE MATERIALIZED VIEW pairs AS SELECT a.k, count(*) AS n FROM bids AS a
        JOIN bids AS b ON a.k = b.k AND b.ts BETWEEN a.ts AND a.ts + INTERVAL 2 SECONDS GROUP BY a.k;`;
    const views = ['live', 'closed', 'best', 'pairs'];
    const second = await ran(SOURCE + LIVE + added);
    const reference = await ran(SOURCE + LIVE + added, {}, {}, 'reference');
    for (const view of views) {
      const all = `SELECT * FROM ${view} ORDER BY ALL`;
      expect(await second.query(all), view).toEqual(await reference.query(all));
    }
    const late = 'SELECT view, source, partition, "offset" FROM _streamsql.late WHERE view = \'closed\' ORDER BY ALL';
    expect(await second.query(late)).toEqual(await reference.query(late));
  });

  test('a view that is added and stops in the middle of it is filled in the end', async () => {
    await ran(SOURCE + LIVE, {}, HALF);
    let [fills, failed] = [0, false];
    const engine = await open(
      { db: join(folder, 'run.duckdb'), state: join(folder, 'run.state'), cwd: folder, maxBatchRows: 50 },
      {
        fault: (point) => {
          if (point !== 'stepped' || ++fills !== 5) return;
          failed = true;
          throw new Error('an outage');
        },
      },
    );
    await engine.sql(SOURCE + LIVE + CLOSED);
    await expect(engine.run()).rejects.toThrow('an outage');
    await engine.close();
    expect(failed).toBe(true);
    const second = await ran(SOURCE + LIVE + CLOSED);
    const reference = await ran(SOURCE + LIVE + CLOSED, {}, {}, 'reference');
    const all = 'SELECT * FROM closed ORDER BY ALL';
    expect(await second.query(all)).toEqual(await reference.query(all));
  });

  test('a view that is removed goes', async () => {
    await ran(SOURCE + LIVE + CLOSED, {}, HALF);
    const { query } = await ran(SOURCE + LIVE);
    expect(await query("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'")).toEqual([['live']]);
    expect(await query('SELECT name FROM _streamsql.views')).toEqual([['live']]);
  });

  test('a view that computes something else is refused, with the choices; rebuilt, it is as if it had always been so', async () => {
    await ran(SOURCE + LIVE + CLOSED, {}, HALF);
    const changed = SOURCE + LIVE.replace('sum(v)', 'max(v)') + CLOSED;
    await expect(ran(changed)).rejects.toMatchObject({
      code: 'STATE',
      message: expect.stringMatching(/computed the view live otherwise:\n {2}it was SELECT k, .*sum.*\n {2}it is .*max/s) as string,
      hint: expect.stringMatching(/another name.*--rebuild live/s) as string,
    }); // prettier-ignore
    const { query } = await ran(changed, { rebuild: ['live'] });
    const reference = await ran(changed, {}, {}, 'reference');
    for (const view of ['live', 'closed'])
      expect(await query(`FROM ${view} ORDER BY ALL`)).toEqual(await reference.query(`FROM ${view} ORDER BY ALL`));
  });

  test('a source that is declared otherwise is named', async () => {
    await ran(SOURCE + LIVE, {}, HALF);
    await expect(ran(SOURCE.replace('1 SECOND', '2 SECONDS') + LIVE)).rejects.toMatchObject({
      code: 'STATE',
      message: expect.stringContaining('the source bids is declared otherwise') as string,
    });
  });

  test('the view to rebuild is one that there is', async () => {
    await ran(SOURCE + LIVE, {}, HALF);
    await expect(ran(SOURCE + LIVE, { rebuild: ['liv'] })).rejects.toMatchObject({ code: 'CATALOG' });
  });

  test('what a file does to its tables is done once; what it does more is done when it goes on', async () => {
    const joined = 'CREATE MATERIALIZED VIEW j AS SELECT n.label, count(*) AS c FROM bids JOIN names AS n USING (k) GROUP BY n.label;'; // prettier-ignore
    await ran(SOURCE + TABLE + joined, {}, HALF);
    const more = `${SOURCE}${TABLE}  UPDATE names SET label = 'two' WHERE k IN ('k1', 'k2');${joined}`;
    const { query } = await ran(more);
    expect(await query('SELECT count(*) FROM names')).toEqual([['10']]);
    const expected = "SELECT CASE WHEN k IN ('k1', 'k2') THEN 'two' ELSE 'one' END, count(*) FROM read_json('" + join(folder, 'bids*.json') + "') GROUP BY 1 ORDER BY 1"; // prettier-ignore
    expect(await query('FROM j ORDER BY ALL')).toEqual(await query(expected));
  });

  test('another time zone is another computation', async () => {
    await ran(SOURCE + LIVE, {}, HALF);
    await expect(ran(`SET TimeZone = 'Europe/Berlin'; ${SOURCE}${LIVE}`)).rejects.toMatchObject({ code: 'STATE' });
  });
});
