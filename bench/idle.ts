import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastJson, runChild } from './child.ts';
import type { IdleJob, Idleness } from './idle-child.ts';
import type { Line } from './report.ts';
import { makeTopic } from './topic.ts';

export const IDLE = 'idle';

const MOST = 0.01;
const PARTITIONS = 64;
const FILES = 1000;

const RECORD = `{"k":1,"ts":"2026-01-01T00:00:00"}\n`;

const declared = (options: string): string => `
CREATE SOURCE quiet (k BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') WITH (${options});
CREATE MATERIALIZED VIEW n AS SELECT window_start, k, count(*) AS n FROM TUMBLE(quiet, ts, INTERVAL '1 minute') GROUP BY window_start, window_end, k;
`;

/** The processor that a run takes while nothing comes: of a topic, and of a folder that is followed. */
export async function idle(address: string, seconds: number): Promise<readonly Line[]> {
  const folder = mkdtempSync(join(tmpdir(), 'streamsql-bench-'));
  try {
    const topic = `quiet-${process.pid}`;
    await makeTopic(address, topic, PARTITIONS);
    mkdirSync(join(folder, 'in'));
    for (let i = 0; i < FILES; i++) writeFileSync(join(folder, 'in', `${i}.ndjson`), RECORD);
    const sources = {
      [`${IDLE}-kafka`]: `connector = 'kafka', brokers = '${address}', topic = '${topic}', format = 'json'`,
      [`${IDLE}-files`]: `connector = 'file', path = '${join(folder, 'in', '*.ndjson')}', format = 'json', follow = true`,
    };
    const lines: Line[] = [];
    for (const [name, options] of Object.entries(sources)) {
      const job: IdleJob = { text: declared(options), db: join(folder, `${name}.duckdb`), seconds };
      const { share } = lastJson<Idleness>(await runChild('idle-child.ts', [JSON.stringify(job)]));
      const what = name === `${IDLE}-kafka` ? `${PARTITIONS} empty partitions` : `${FILES} files`;
      lines.push({
        name,
        note: `${(share * 100).toFixed(2)} % of a core over ${seconds} s, ${what}`,
        targets: [{ text: `under ${MOST * 100} %`, reached: share < MOST }],
      });
    }
    return lines;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
