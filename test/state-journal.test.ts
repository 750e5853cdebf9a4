import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column } from '../src/base/schema.ts';
import { ident, join as list, raw, sql, type Sql } from '../src/base/sql.ts';
import { Checkpoints, type Standing } from '../src/exec/checkpoint/checkpoints.ts';
import { realDisk, type Disk } from '../src/exec/checkpoint/disk.ts';
import { refill } from '../src/exec/checkpoint/load.ts';
import { MANIFEST_FORMAT, type Manifest } from '../src/exec/checkpoint/manifest.ts';
import { listCheckpoints, readManifest } from '../src/exec/checkpoint/read-manifest.ts';
import { restoreTable } from '../src/exec/checkpoint/restore-table.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { Session } from '../src/exec/session.ts';
import { StateTable } from '../src/exec/state.ts';

/**
 * Whatever happens to a state table, what a checkpoint wrote of it is the table as it was at that moment. Sequences of changes
 * with checkpoints between them, also of tables that come from a checkpoint. STREAMSQL_LAW_RUNS=N for more; a failure prints its seed.
 */
const RUNS = Number(process.env['STREAMSQL_LAW_RUNS'] ?? 30);
const SEED = Number(process.env['STREAMSQL_LAW_SEED'] ?? 5);

const LOG: readonly Column[] = [
  { name: 'k', type: 'INTEGER' },
  { name: 'v', type: 'BIGINT' },
  { name: 'd', type: 'DOUBLE' },
];
const KEYED: readonly Column[] = [
  { name: 'k', type: 'INTEGER' },
  { name: 'my j', type: 'DOUBLE' },
  { name: 'n', type: 'BIGINT' },
];

type Name = 'log' | 'weighted' | 'keyed' | 'counted';

/** A state folder, and the engine's side of it: one DuckDB in memory, which a restart replaces. */
class Place {
  private readonly folder = mkdtempSync(join(tmpdir(), 'streamsql-journal-'));
  private readonly journalFrom: number;
  private duck: Duck | undefined;
  private checkpoints: Checkpoints | undefined;
  private epoch = -1;
  private failing = false;
  readonly warnings: string[] = [];
  tables: Readonly<Record<Name, StateTable>> = this.unopened;
  connection: DuckConnection = this.unopened;

  constructor(journalFrom: number) {
    this.journalFrom = journalFrom;
  }

  private get unopened(): never {
    return undefined as never;
  }

  /** Starts, from the last checkpoint where there is one. */
  async open(): Promise<void> {
    for (const name of ['checkpoints', 'data']) await realDisk.makeFolder(join(this.folder, name));
    this.duck = await Duck.open(':memory:', { threads: '2' });
    this.connection = await this.duck.connect();
    for (const schema of ['delta', 'state', 'then']) await this.connection.run(sql`CREATE SCHEMA ${ident(schema)}`);
    const session = new Session(this.connection, this.journalFrom);
    const weighted = new StateTable(session, 'w', 'w', { weighted: LOG });
    const keyed = new StateTable(session, 'k', 'k', { key: ['k', 'my j'] });
    const counted = new StateTable(session, 'c', 'c', { key: ['k', 'my j'] });
    this.tables = { log: new StateTable(session, 'l', 'l'), weighted, keyed, counted };
    await this.tables.log.create(shape(LOG));
    await weighted.create(shape([...LOG, { name: '$n', type: 'BIGINT' }]));
    for (const table of [keyed, counted]) await table.create(shape(KEYED));
    const manifest = this.manifest();
    for (const { name, state } of this.known()) {
      const saved = manifest?.operators[0]?.tables.find((table) => table.name === name);
      if (saved !== undefined) await refill(state, saved, this.folder, this.connection);
    }
    this.epoch = manifest?.epoch ?? -1;
    this.checkpoints = new Checkpoints(
      {
        folder: this.folder, disk: this.disk, connection: await this.duck.connect(), intervalMs: 0, keep: 2,
        fault: () => undefined,
        emit: (event) => {
          if (event.event === 'warning') this.warnings.push(event.message);
        },
      },
      manifest,
    ); // prettier-ignore
  }

  /** One that does not wait for the real one. */
  private get disk(): Disk {
    const write = (path: string, text: string): Promise<void> =>
      this.failing ? Promise.reject(new Error('the disk is full')) : realDisk.write(path, text);
    return { ...realDisk, write, sync: () => Promise.resolve(), syncFolder: () => Promise.resolve() };
  }

  private known(): readonly { name: string; state: StateTable }[] {
    return Object.entries(this.tables).map(([name, state]) => ({ name, state }));
  }

  private manifest(): Manifest | undefined {
    const [newest] = listCheckpoints(this.folder);
    return newest === undefined ? undefined : readManifest(this.folder, newest).manifest;
  }

  /** Takes a checkpoint, with `meanwhile` going on while it is written; what of it is not as it was when it began. */
  async checkpoint(meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<readonly string[]> {
    await this.remember();
    await this.take();
    await meanwhile();
    await this.checkpoints?.settled();
    const manifest = this.manifest();
    const differences: string[] = [];
    for (const { name } of this.known()) {
      const saved = manifest?.operators[0]?.tables.find((table) => table.name === name);
      if (saved === undefined) return [`${name} is not there`];
      await restoreTable(this.connection, ident('then', 'again'), saved, this.folder);
      const [was, is] = [ident('then', name), ident('then', 'again')];
      for (const [what, a, b] of [['lost', was, is], ['more', is, was]] as const) {
        const rows = await this.connection.table(sql`SELECT * FROM (FROM ${a} EXCEPT ALL FROM ${b}) ORDER BY ALL LIMIT 5`);
        if (rows.rows.length > 0) differences.push(`${name} ${what}: ${JSON.stringify(rows.rows)}`);
      }
      await this.connection.run(sql`DROP TABLE ${is}`);
    } // prettier-ignore
    return differences;
  }

  private async remember(): Promise<void> {
    for (const { name, state } of this.known())
      await this.connection.run(sql`CREATE OR REPLACE TABLE ${ident('then', name)} AS FROM ${state.name}`);
  }

  private async take(): Promise<void> {
    this.epoch++;
    const standing: Standing = {
      format: MANIFEST_FORMAT, streamsql: '0', duckdb: '0', job: 'j', epoch: this.epoch, takenAt: '', clock: '0',
      targets: [], sources: [],
    }; // prettier-ignore
    const tables = () => this.known().map(({ name, state }) => ({ name, state, pinned: state.pin() }));
    await this.checkpoints?.take(standing, () =>
      Promise.resolve([{ key: 'o', title: '', memo: null, tables: tables() }]),
    );
  }

  /** One that cannot be written: it is as if it had not been. */
  async failedCheckpoint(): Promise<void> {
    this.failing = true;
    await this.take();
    await this.checkpoints?.settled();
    this.failing = false;
    if (this.warnings.splice(0).length !== 1) throw new Error('the checkpoint was written after all');
  }

  /** Of each table the segments of the last checkpoint, with their rows. */
  get segments(): Readonly<Record<string, string>> {
    const saved = this.manifest()?.operators[0]?.tables ?? [];
    return Object.fromEntries(
      saved.map(({ name, segments }) => [name, segments.map(({ kind, rows }) => `${kind} ${rows}`).join(', ')]),
    );
  }

  async restart(): Promise<void> {
    await this.checkpoints?.settled();
    this.duck?.close();
    await this.open();
  }

  remove(): void {
    this.duck?.close();
    rmSync(this.folder, { recursive: true });
  }
}

const shape = (columns: readonly Column[]): Sql =>
  sql`SELECT ${list(columns.map(({ name, type }) => sql`NULL::${raw(type)} AS ${ident(name)}`))}`;

type Change =
  | { readonly op: 'append' | 'merge'; readonly rows: number; readonly seed: number }
  | { readonly op: 'remove' | 'prune' | 'evict'; readonly below: number; readonly seed: number }
  | { readonly op: 'replace' | 'checkpoint' | 'fail' | 'restart' };

/** Rows that depend on the seed alone; keys, NULLs, NaN and zeros of both signs meet again. */
const rows = (count: number, seed: number, keys: number): Sql => {
  const at = sql`(range * 7919 + ${seed} * 104729)`;
  return sql`(SELECT (${at} % ${keys})::INTEGER AS k, ${at} % 1000 AS v,
    CASE ${at} % 5 WHEN 0 THEN NULL WHEN 1 THEN 'nan'::DOUBLE WHEN 2 THEN -0.0 WHEN 3 THEN 0.0 ELSE ${at} % 7 END AS d FROM range(${count}))`;
};

async function apply({ tables, connection }: Place, change: Change, keys: number): Promise<void> {
  const { log, weighted, keyed, counted } = tables;
  switch (change.op) {
    case 'append': {
      const some = rows(change.rows, change.seed, keys);
      await log.append(sql`SELECT * FROM ${some}`);
      await weighted.append(sql`SELECT *, CASE WHEN v % 3 = 0 THEN -1 ELSE 1 END AS "$n" FROM ${some}`);
      return;
    }
    case 'merge': {
      const part = ident('delta', 'part');
      await connection.run(
        sql`CREATE OR REPLACE TABLE ${part} AS SELECT k, d AS "my j", sum(v % 3 - 1)::BIGINT AS n FROM ${rows(change.rows, change.seed, keys)} GROUP BY ALL`,
      );
      const same = sql`s.k IS NOT DISTINCT FROM p.k AND s."my j" IS NOT DISTINCT FROM p."my j"`;
      for (const table of [keyed, counted])
        await table.merge(
          sql`MERGE INTO ${table.name} AS s USING ${part} AS p ON ${same} WHEN MATCHED THEN UPDATE SET n = s.n + p.n WHEN NOT MATCHED THEN INSERT VALUES (p.k, p."my j", p.n)`,
          sql`(SELECT s.* FROM ${table.name} AS s WHERE EXISTS (SELECT 1 FROM ${part} AS p WHERE ${same}))`,
        );
      await counted.dropEmpty(sql`n = 0`);
      return;
    }
    case 'evict':
      for (const table of Object.values(tables)) await table.evict(sql`k < ${change.below}`);
      return;
    case 'prune':
      await log.prune(sql`k > ${change.below} AND v < (SELECT avg(v) FROM ${log.name})`);
      return;
    case 'remove': {
      const gone = ident('delta', 'gone');
      await connection.run(
        sql`CREATE OR REPLACE TABLE ${gone} AS SELECT DISTINCT k, d FROM ${rows(change.below, change.seed, keys)}`,
      );
      await log.remove(gone, ['k', 'd']);
      // What came of the same keys is appended anew, as sessions do.
      if (change.seed % 2 === 0) await log.append(sql`SELECT k, 5000 AS v, d FROM ${gone}`);
      return;
    }
    case 'replace':
      await log.replace(sql`SELECT * FROM ${log.name} WHERE v % 2 = 0`);
      return;
    case 'checkpoint':
    case 'fail':
    case 'restart':
  }
}

/** What was lost on the way. */
async function perform(changes: readonly Change[], journalFrom: number, keys: number): Promise<readonly string[]> {
  const place = new Place(journalFrom);
  try {
    await place.open();
    const differences: string[] = [];
    for (let i = 0; i < changes.length; i++) {
      const change = changes[i]!;
      if (change.op === 'checkpoint') {
        const next = changes[i + 1];
        const beside = next !== undefined && !['checkpoint', 'fail', 'restart'].includes(next.op);
        const found = await place.checkpoint(() => (beside ? apply(place, next, keys) : Promise.resolve()));
        differences.push(...found.map((difference) => `checkpoint ${i}: ${difference}`));
        if (beside) i++;
      } else if (change.op === 'fail') await place.failedCheckpoint();
      else if (change.op === 'restart') await place.restart();
      else await apply(place, change, keys);
    }
    differences.push(...(await place.checkpoint()).map((difference) => `at the end: ${difference}`), ...place.warnings);
    return differences;
  } finally {
    place.remove();
  }
}

const SEEDS = fc.integer({ min: 0, max: 99 });
const changes = (most: number, keys: number): fc.Arbitrary<Change> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ op: fc.constantFrom('append', 'merge'), rows: fc.integer({ min: 0, max: most }), seed: SEEDS }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('remove', 'evict', 'prune'), below: fc.integer({ min: 0, max: keys }), seed: SEEDS }) },
    { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('checkpoint', 'checkpoint', 'checkpoint', 'restart', 'replace', 'fail') }) },
  ); // prettier-ignore

describe('what checkpoints write of state tables', () => {
  it(`is the tables, whatever happened to them (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(changes(40, 12), { minLength: 4, maxLength: 25 }), async (all) => {
        expect(await perform(all, 3, 12)).toEqual([]);
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });

  it(`is the tables, however large (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(changes(150_000, 5000), { minLength: 8, maxLength: 14 }), async (all) => {
        expect(await perform([{ op: 'append', rows: 130_000, seed: 1 }, ...all], 20_000, 5000)).toEqual([]);
      }),
      { numRuns: Math.ceil(RUNS / 15), seed: SEED },
    );
  });

  it('is no more than what changed, of large ones', async () => {
    const place = new Place(3);
    try {
      await place.open();
      const steps: readonly Change[] = [
        { op: 'append', rows: 40, seed: 1 },
        { op: 'merge', rows: 40, seed: 1 },
      ];
      for (const change of steps) await apply(place, change, 12);
      expect(await place.checkpoint()).toEqual([]);
      await place.restart();
      for (const change of steps) await apply(place, { ...change, rows: 2 } as Change, 12);
      expect(await place.checkpoint()).toEqual([]);
      expect(await place.checkpoint()).toEqual([]);
      expect(place.segments).toMatchObject({
        log: 'whole 40, added 2',
        weighted: 'whole 40, added 2',
        keyed: expect.stringMatching(/^whole \d+, added 2$/) as string,
      });
    } finally {
      place.remove();
    }
  });

  it('is a table that came from a checkpoint with holes in it, and what is appended to it', async () => {
    const restored: readonly Change[] = [
      { op: 'append', rows: 40, seed: 1 },
      { op: 'checkpoint' },
      { op: 'evict', below: 6, seed: 0 },
      { op: 'append', rows: 5, seed: 2 },
      { op: 'checkpoint' },
      { op: 'restart' },
      { op: 'append', rows: 5, seed: 3 },
    ];
    expect(await perform(restored, 3, 12)).toEqual([]);
  });

  it('is a table in which DuckDB would number the rows anew', async () => {
    const many: readonly Change[] = [
      { op: 'append', rows: 300_000, seed: 1 },
      { op: 'checkpoint' },
      { op: 'evict', below: 1400, seed: 0 },
      ...Array.from({ length: 40 }, (): Change => ({ op: 'append', rows: 20_000, seed: 2 })),
    ];
    expect(await perform(many, 20_000, 5000)).toEqual([]);
  });
});
