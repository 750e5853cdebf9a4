import { dirname, join as joinPath } from 'node:path';
import type { Fault } from '../../base/fault.ts';
import type { RunEvent } from '../../base/run.ts';
import { raw, sql, type Sql } from '../../base/sql.ts';
import type { DuckConnection } from '../duck.ts';
import type { Retained, RetainedCut } from '../retained/retained.ts';
import { RETAINED } from '../retained/source-keeper.ts';
import type { Disk } from './disk.ts';
import { fileStem } from './file-stem.ts';
import type { FileReference, Manifest, OperatorState, Segment, TableState } from './manifest.ts';
import { listCheckpoints, manifestPath, manifestText, namedFiles, readManifest } from './read-manifest.ts';
import type { OperatorSnapshot, TableSnapshot } from './snapshot.ts';
import { storedColumns } from './stored-columns.ts';

export interface CheckpointsHost {
  /** The state folder. */
  readonly folder: string;
  readonly disk: Disk;
  /** A connection of its own to the database of the state: a snapshot of one moment is read on it while the stream goes on. */
  readonly connection: DuckConnection;
  readonly intervalMs: number;
  readonly keep: number;
  /** The raw records that are kept, where any are. */
  readonly retained?: Retained | undefined;
  /** Nothing goes on from before the oldest checkpoint that is left. */
  readonly forget?: (oldest: Manifest) => Promise<void>;
  readonly fault: Fault;
  readonly emit: (event: RunEvent) => void;
}

/** All of a manifest but the state, as it is between two epochs. */
export type Standing = Omit<Manifest, 'operators' | 'retained'>;

/** What is to be written, as it was between two epochs. */
interface Taken {
  readonly snapshot: readonly OperatorSnapshot[];
  readonly cut: RetainedCut;
  readonly started: number;
  readonly pausedMs: number;
}

const DATA = 'data';

/**
 * Writes checkpoints. Between two epochs it pins what there is to write, in a snapshot of DuckDB's; the writing goes on
 * beside the stream. Files of data are synced before a manifest names them, and the manifest is renamed into place last.
 */
export class Checkpoints {
  private readonly host: CheckpointsHost;
  private last: Manifest | undefined;
  private writing: Promise<void> | undefined;
  private takenAt = performance.now();
  /** The oldest epoch that some checkpoint's recovery may need again is the one after this. */
  oldest: number | undefined;

  constructor(host: CheckpointsHost, last: Manifest | undefined) {
    this.host = host;
    this.last = last;
  }

  /** Whether it is time for one. */
  get due(): boolean {
    return this.writing === undefined && performance.now() - this.takenAt >= this.host.intervalMs;
  }

  /** What the last one holds, by operator. */
  get held(): readonly OperatorState[] {
    return this.last?.operators ?? [];
  }

  /** Pins the state. Resolves when the stream may go on; `settled` tells when all is on disk. */
  async take(standing: Standing, operators: () => Promise<readonly OperatorSnapshot[]>): Promise<void> {
    await this.settled();
    const started = performance.now();
    this.takenAt = started;
    const { connection, fault } = this.host;
    await connection.run(sql`BEGIN`);
    const snapshot = await operators();
    const cut = this.host.retained?.cut() ?? [];
    const [first] = snapshot.flatMap(({ tables }) => tables);
    if (first !== undefined) await connection.rows(sql`SELECT 1 FROM ${first.pinned.table} LIMIT 1`);
    fault('checkpoint-pinned');
    const pausedMs = performance.now() - started;
    this.writing = this.write(standing, { snapshot, cut, started, pausedMs }).finally(() => (this.writing = undefined));
    this.writing.catch(() => undefined);
  }

  /** Resolves when the checkpoint that is under way is on disk; one that could not be written is warned of. */
  async settled(): Promise<void> {
    await this.writing;
  }

  private async write(standing: Standing, { snapshot, cut, started, pausedMs }: Taken): Promise<void> {
    const { connection, retained, emit } = this.host;
    const tables = snapshot.flatMap((operator) => operator.tables);
    const used = tables.flatMap(({ pinned }) => pinned.used);
    try {
      const written = { rows: 0, bytes: 0 };
      const operators: OperatorState[] = [];
      for (const operator of snapshot) operators.push(await this.operator(operator, standing.epoch, written));
      await connection.run(sql`COMMIT`);
      const kept = await retained?.writeDown(cut, BigInt(standing.clock));
      const manifest: Manifest = { ...standing, operators, ...(kept !== undefined && { retained: kept }) };
      await this.publish(manifest);
      this.last = manifest;
      if (kept !== undefined) await retained?.written(kept, cut);
      for (const [i, { tables: states }] of operators.entries()) {
        for (const [k, state] of states.entries()) snapshot[i]?.tables[k]?.state.written(...sizeOf(state));
      }
      await this.removeOld();
      emit({ event: 'checkpoint', epoch: standing.epoch, ms: performance.now() - started, pausedMs, ...written });
    } catch (error) {
      await connection.run(sql`ROLLBACK`).catch(() => undefined);
      for (const { state } of tables) state.unpinned();
      const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
      emit({
        event: 'warning',
        message: `the checkpoint of epoch ${standing.epoch} could not be written: ${reason}; the one before it stays`,
      });
    }
    for (const table of used) await connection.run(sql`DROP TABLE IF EXISTS ${table}`);
  }

  private async operator(
    { key, title, memo, tables }: OperatorSnapshot,
    epoch: number,
    written: { rows: number; bytes: number },
  ): Promise<OperatorState> {
    const known = this.last?.operators.find((operator) => operator.key === key)?.tables ?? [];
    const states: TableState[] = [];
    for (const table of tables) {
      const before = known.find((state) => state.name === table.name);
      // An epoch may have two: the first, and one when a run goes on with a view more.
      const file = `${DATA}/${fileStem(key, table.name)}-${epoch}-${Date.now().toString(36)}`;
      states.push(await this.table(table, before, { epoch, file, written }));
    }
    return { key, title, memo, tables: states };
  }

  private async table(
    { name, pinned }: TableSnapshot,
    before: TableState | undefined,
    at: { readonly epoch: number; readonly file: string; readonly written: { rows: number; bytes: number } },
  ): Promise<TableState> {
    if (pinned.unchanged && before !== undefined) return before;
    const { connection } = this.host;
    const columns = await connection.columns(pinned.table);
    const whole = pinned.whole || before === undefined;
    const rows = !whole ? pinned.added : pinned.rows === 0 ? undefined : sql`SELECT * FROM ${pinned.table}`;
    const file = rows === undefined ? undefined : await this.file(`${at.file}.parquet`, sql`SELECT ${storedColumns(columns)} FROM (${rows})`); // prettier-ignore
    const gone = whole || pinned.gone === undefined ? undefined : await this.file(`${at.file}-gone.parquet`, await this.stored(pinned.gone)); // prettier-ignore
    for (const each of [file, gone]) {
      at.written.rows += each?.rows ?? 0;
      at.written.bytes += each?.reference.bytes ?? 0;
    }
    const segment: Segment = {
      epoch: at.epoch,
      kind: whole ? 'whole' : 'added',
      rows: file?.rows ?? 0,
      ...(file !== undefined && file.rows > 0 && { file: file.reference }),
      ...(gone !== undefined && gone.rows > 0 && { gone: gone.reference }),
      ...(!whole && pinned.conditions.length > 0 && { conditions: pinned.conditions }),
      ...(!whole && pinned.key !== undefined && { key: pinned.key }),
    };
    return {
      name,
      columns,
      rows: whole ? segment.rows : pinned.rows,
      segments: whole ? [segment] : [...before.segments, segment],
    };
  }

  private async stored(select: Sql): Promise<Sql> {
    return sql`SELECT ${storedColumns(await this.host.connection.columns(select))} FROM (${select})`;
  }

  private async file(path: string, select: Sql): Promise<{ readonly rows: number; readonly reference: FileReference }> {
    const { connection, disk, folder } = this.host;
    const full = joinPath(folder, path);
    const rows = await connection.run(sql`COPY (${select}) TO ${full} (FORMAT parquet, COMPRESSION ${raw('zstd')})`);
    return { rows, reference: { path, ...(await disk.measure(full)) } };
  }

  /** Data first, then the manifest that names it: each on disk before the next. */
  private async publish(manifest: Manifest): Promise<void> {
    const { disk, folder, fault } = this.host;
    fault('checkpoint-data-written');
    const known = new Set(this.last === undefined ? [] : namedFiles(this.last).map(({ path }) => path));
    const fresh = namedFiles(manifest).filter(({ path }) => !known.has(path));
    for (const { path } of fresh) await disk.sync(joinPath(folder, path));
    for (const inner of new Set(fresh.map(({ path }) => dirname(path)))) await disk.syncFolder(joinPath(folder, inner));
    fault('checkpoint-data-synced');
    const path = joinPath(folder, manifestPath(manifest.epoch));
    await disk.write(`${path}.tmp`, manifestText(manifest));
    fault('checkpoint-manifest-written');
    await disk.sync(`${path}.tmp`);
    fault('checkpoint-manifest-synced');
    await disk.rename(`${path}.tmp`, path);
    await disk.syncFolder(joinPath(folder, 'checkpoints'));
    fault('checkpoint-manifest-renamed');
  }

  /** All but the newest `keep`, what is damaged among them, and the files of data that none of those names. */
  private async removeOld(): Promise<void> {
    const { disk, folder, keep, retained, fault } = this.host;
    const kept: Manifest[] = [];
    for (const epoch of listCheckpoints(folder)) {
      const { manifest } = kept.length < keep && epoch <= (this.last?.epoch ?? 0) ? readManifest(folder, epoch) : {};
      if (manifest !== undefined) kept.push(manifest);
      else await disk.remove(joinPath(folder, manifestPath(epoch)));
    }
    const named = new Set(kept.flatMap((manifest) => namedFiles(manifest)).map(({ path }) => path));
    for (const inner of [DATA, RETAINED]) {
      for (const name of await disk.list(joinPath(folder, inner))) {
        const path = `${inner}/${name}`;
        if (!named.has(path) && retained?.isUnnamed(path) !== true) await disk.remove(joinPath(folder, path));
      }
    }
    const oldest = kept.at(-1);
    this.oldest = oldest?.epoch;
    if (oldest !== undefined) await this.host.forget?.(oldest);
    fault('checkpoint-old-removed');
  }
}

const sizeOf = ({ segments }: TableState): [number, number] => [
  segments.length,
  segments.reduce((sum, { rows }) => sum + rows, 0),
];
