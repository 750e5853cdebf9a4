import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql, type Sql } from '../../src/base/sql.ts';
import {
  MANIFEST_FORMAT,
  type FileReference,
  type Manifest,
  type TableState,
} from '../../src/exec/checkpoint/manifest.ts';
import { fileCrc, manifestPath, manifestText } from '../../src/exec/checkpoint/read-manifest.ts';
import type { DuckConnection } from '../../src/exec/duck.ts';

/** A state folder made by hand. */
export class StateFolder {
  readonly path: string;
  private readonly connection: DuckConnection;

  constructor(path: string, connection: DuckConnection) {
    this.path = path;
    this.connection = connection;
    for (const name of ['checkpoints', 'data']) mkdirSync(join(path, name), { recursive: true });
    writeFileSync(join(path, 'streamsql.json'), '{"version":1}\n');
  }

  /** Writes the rows of a SELECT as a data file. */
  async data(name: string, select: Sql): Promise<FileReference> {
    const path = `data/${name}.parquet`;
    const full = join(this.path, path);
    await this.connection.run(sql`COPY (${select}) TO ${full} (FORMAT parquet)`);
    return { path, bytes: statSync(full).size, crc32: fileCrc(full) };
  }

  checkpoint(epoch: number, tables: readonly TableState[], changed: Partial<Manifest> = {}): Manifest {
    const manifest: Manifest = {
      format: MANIFEST_FORMAT,
      streamsql: '0.1.0',
      duckdb: 'v1.5.5',
      job: 'a-job',
      epoch,
      takenAt: `2024-01-01T00:00:${String(Math.max(0, epoch)).padStart(2, '0')}.000Z`,
      clock: '1704067200000000',
      targets: [{ kind: 'view', name: 'hot', fingerprint: 'f00d', sql: 'CREATE MATERIALIZED VIEW hot AS …' }],
      sources: [
        {
          name: 'bids',
          fingerprint: 'beef',
          watermark: '1704067195500000',
          rows: 20,
          late: 1,
          skipped: 0,
          deadLetters: 2,
          partitions: [
            { name: '0', position: 12, ordinal: null, end: null, greatest: '1704067199500000', initial: 0 },
            { name: '1', position: 8, ordinal: null, end: null, greatest: null, initial: 0 },
          ],
        },
      ],
      operators: [{ key: 'hot/1', title: 'Aggregate', memo: null, tables }],
      ...changed,
    };
    writeFileSync(join(this.path, manifestPath(epoch)), manifestText(manifest));
    return manifest;
  }
}
