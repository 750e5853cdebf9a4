import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { open, type EngineHost, type OpenOptions, type RunEvent, type RunOptions } from '../../src/engine.ts';

/** What became of a run that was started again. */
export interface Again {
  /** The views' rows at the end; absent where it ended in an error. */
  readonly rows?: string;
  readonly error?: unknown;
  readonly warnings: readonly string[];
  /** The checkpoint that it went on from; absent where it began. */
  readonly resumedFrom: number | undefined;
}

export const SQL = `
CREATE SOURCE clicks (id INTEGER, k VARCHAR, v DOUBLE, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') WITH (connector = 'file', path = 'clicks.jsonl');
CREATE TABLE names (k VARCHAR PRIMARY KEY, name VARCHAR);
INSERT INTO names VALUES ('k1', 'one'), ('k2', 'two');
CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(v) AS s FROM clicks GROUP BY k;
CREATE MATERIALIZED VIEW closed AS SELECT window_start, count(*) AS n, max(id) AS last FROM TUMBLE(clicks, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW named AS SELECT c.id, n.name FROM clicks c JOIN names n ON n.k = c.k;`;
const ASKED = `SELECT 'totals', k, n::VARCHAR, s::VARCHAR FROM totals UNION ALL SELECT 'closed', window_start::VARCHAR, n::VARCHAR, last::VARCHAR FROM closed
  UNION ALL SELECT 'named', id::VARCHAR, name, NULL FROM named UNION ALL SELECT 'names', k, name, NULL FROM names ORDER BY ALL`;

const LINES = 200;
const EPOCH_ROWS = 20;

/** A folder with a run in it: its input, its database, its state. */
export class RunFolder {
  readonly path: string;

  constructor(path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'streamsql-damage-'))) {
    this.path = path;
  }

  writeInput(lines = LINES, change: (i: number) => string = String): void {
    const text = Array.from({ length: lines }, (_, i) =>
      JSON.stringify({ id: i, k: `k${i % 7}`, v: Number(change(i)) % 11, ts: new Date(1.7e12 + i * 1000).toISOString().slice(0, 19).replace('T', ' ') }),
    ); // prettier-ignore
    writeFileSync(join(this.path, 'clicks.jsonl'), `${text.join('\n')}\n`);
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** Runs what is there, until the input ends or as `options` say. */
  async run(options: RunOptions = {}, host: EngineHost = {}, sql = SQL, more: OpenOptions = {}): Promise<Again> {
    const warnings: string[] = [];
    let resumedFrom: number | undefined;
    const engine = await open(
      {
        db: this.at('results.duckdb'), state: this.at('state'), cwd: this.path, threads: 2, batchIntervalMs: 0,
        maxBatchRows: EPOCH_ROWS, checkpointIntervalMs: 0, keepCheckpoints: 3, ...more,
      },
      { journalFrom: 0, ...host },
    ); // prettier-ignore
    const heard = (event: RunEvent): void => {
      if (event.event === 'warning') warnings.push(event.message);
      if (event.event === 'resumed') resumedFrom = event.checkpoint;
    };
    try {
      await engine.sql(sql);
      await engine.run({ ...options, onEvent: heard });
      const { rows } = await engine.query(ASKED);
      return { rows: JSON.stringify(rows), warnings, resumedFrom };
    } catch (error) {
      return { error, warnings, resumedFrom };
    } finally {
      await engine.close();
    }
  }

  /** The same files in another folder. */
  copy(): RunFolder {
    const other = new RunFolder();
    cpSync(this.path, other.path, { recursive: true });
    return other;
  }

  /** The files of the state and the database, by their paths from here. */
  files(): readonly string[] {
    const all = (folder: string): readonly string[] =>
      readdirSync(folder).flatMap((name) => {
        const path = join(folder, name);
        return statSync(path).isDirectory() ? all(path) : [relative(this.path, path)];
      });
    return all(this.path).filter((path) => path !== 'clicks.jsonl').sort(); // prettier-ignore
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
