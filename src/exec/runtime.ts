import { setTimeout as sleep } from 'node:timers/promises';
import type { Chunk, ScratchPool, SinkContext, SinkWriter, SourceContext, SourceReader } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { Progress, RunEvent, RunSummary } from '../base/run.ts';
import { ident, sql, raw } from '../base/sql.ts';
import type { SourceNode } from '../planner/plan-sources.ts';
import type { Plan, SinkTarget } from '../planner/plan.ts';
import { sinkRows } from './changelog.ts';
import type { ChangeQueue, QueuedScript } from './change-queue.ts';
import type { DuckConnection, Table } from './duck.ts';
import type { Graph } from './graph.ts';
import { LATE_SHAPE, LATE_STAGING } from './late.ts';
import { END_OF_TIME } from './operators/operator.ts';
import type { Results } from './results.ts';
import { RateMeter } from './rate.ts';
import type { Session } from './session.ts';
import type { Tables } from './tables.ts';
import { SourceRun, type DecodedChunks } from './source-run.ts';

export interface RuntimeHost {
  readonly plan: Plan;
  readonly graph: Graph;
  readonly session: Session;
  readonly decodeConnection: DuckConnection;
  readonly scratch: ScratchPool;
  readonly tables: Tables;
  /** What changes the tables while the stream runs. */
  readonly changes: ChangeQueue;
  /** Without sources: go on until the signal aborts, for the tables may change. */
  readonly keepOpen: boolean;
  readonly parallelism: number;
  readonly batchIntervalMs: number;
  readonly maxBatchRows: number;
  /** What an earlier run left goes. */
  readonly fresh: boolean;
  /** A reader in place of the connector's own; tests feed rows through it. */
  readonly openReader?: (source: SourceNode, context: SourceContext) => SourceReader | undefined;
  /** The engine's clock, ms since 1970; tests turn it by hand. */
  readonly now: () => number;
  /** Sources are not kept together by event time: whoever feeds them decides. */
  readonly pollAll: boolean;
  emit(event: RunEvent): void;
}

const POLL_WAIT_MS = 250;
const PROGRESS_MS = 1000;
/** How long a poll that is under way may hold up the end of a run, ms. */
const CLOSE_WAIT_MS = 1000;
/** Processing-time windows close though nothing comes: an epoch at least so often, ms. */
const TICK_MS = 1000;

interface Batch {
  readonly source: SourceRun;
  readonly chunks: readonly Chunk[];
}

/** An epoch that is decoded and waits for the operators. */
interface Prepared {
  readonly clock: bigint;
  /** The clock that its rows are stamped with: not the end of time. */
  readonly stamped: bigint;
  /** No epoch comes after it. */
  readonly last: boolean;
  readonly decoded: ReadonlyMap<SourceRun, DecodedChunks & { readonly chunks: readonly Chunk[] }>;
  readonly decodeMs: number;
  readonly scripts: readonly QueuedScript[];
}

/** Runs a plan epoch by epoch: choose the ranges, decode, step the operators, commit. */
export class Runtime {
  private readonly host: RuntimeHost;
  private readonly sources: SourceRun[] = [];
  private readonly sinks: { target: SinkTarget; writer: SinkWriter }[] = [];
  private readonly rate = new RateMeter();
  private readonly ended = new AbortController();
  private results: Results | undefined;
  private epoch = 0;
  private slack = 0n;
  private firstRead = 0;
  private lastCommit = 0;
  /** The host's clock when the last epoch began, ms. */
  private clockAtEpoch = 0;
  private rowsIn = 0;
  private latestClock = 0n;

  constructor(host: RuntimeHost) {
    this.host = host;
  }

  /** Opens what the run reads: sources, static tables. Nothing of an earlier run is touched. */
  async openInput(): Promise<void> {
    const { host } = this;
    for (const operator of host.graph.sources) {
      const run: { source?: SourceRun } = {};
      const context: SourceContext = {
        scratch: host.scratch,
        parallelism: host.parallelism,
        query: (statement) => host.decodeConnection.rows(statement),
        notice: (message) => {
          if (run.source !== undefined) run.source.notice = message;
        },
        signal: this.ended.signal,
      };
      const reader = host.openReader?.(operator.node, context) ?? operator.node.plan.open(context);
      run.source = new SourceRun(operator, reader);
      await reader.open();
      this.sources.push(run.source);
    }
    await host.session.run('late', LATE_SHAPE);
    await host.graph.open();
    for (const source of this.sources) await source.peek(host.decodeConnection, this.clock());
  }

  /** Opens what the run writes. */
  async openOutput(results: Results): Promise<void> {
    this.results = results;
    for (const target of this.host.plan.sinks) {
      const writer = target.plan.open(this.sinkContext());
      await writer.open();
      this.sinks.push({ target, writer });
    }
  }

  /** Runs until the input ends or the signal aborts; the batch that is under way is finished. */
  async run(signal: AbortSignal | undefined): Promise<{ interrupted: boolean }> {
    this.firstRead = performance.now();
    this.lastCommit = this.firstRead;
    await this.process(await this.prepare([], this.clock()));
    // The next batch is decoded while the operators of the last one still run and commit.
    let running: Promise<void> = Promise.resolve();
    let progressAt = performance.now();
    try {
      for (;;) {
        if (signal?.aborted === true || (this.inputEnded() && !this.host.changes.pending)) break;
        const started = performance.now();
        const batches = await Promise.race([this.nextBatch(signal), failureOf(running)]);
        // Whether the clock calls for an epoch is known when the last one is over.
        if (batches.length === 0) await running;
        if (batches.length > 0 || this.tickDue() || this.host.changes.pending) {
          const prepared = await this.prepare(batches, this.clock());
          await running;
          running = this.process(prepared);
          running.catch(() => undefined);
          // A tick has brought nothing: it is over before anyone is asked for more.
          if (batches.length === 0) await running;
        }
        if (performance.now() - progressAt > PROGRESS_MS) {
          progressAt = performance.now();
          this.host.emit({ event: 'progress', ...this.progress() });
        }
        await this.pause(batches, started, signal);
      }
    } catch (error) {
      await running.catch(() => undefined);
      throw error;
    }
    await running;
    const interrupted = signal?.aborted === true;
    if (!interrupted && this.host.plan.sources.every((source) => source.plan.bounded))
      await this.process(await this.prepare([], END_OF_TIME, true));
    else if (this.holdsBack()) await this.process(await this.prepare([], this.clock(), true));
    if (interrupted) return { interrupted };
    for (const { writer } of this.sinks) await writer.finish?.();
    return { interrupted: false };
  }

  private get output(): Results {
    if (this.results === undefined) throw new StreamsqlError('INTERNAL', 'the results are not open');
    return this.results;
  }

  private inputEnded(): boolean {
    if (this.sources.length === 0) return !this.host.keepOpen;
    return this.sources.every((source) => source.exhausted && source.pending === undefined);
  }

  /** A quiet stream's batches are at least the interval apart, so that each is worth its statements. */
  private async pause(batches: readonly Batch[], started: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.sources.every((source) => source.operator.node.plan.bounded)) return;
    const rows = batches.reduce(
      (sum, batch) => sum + batch.chunks.reduce((inner, chunk) => inner + chunk.records, 0),
      0,
    );
    const left = this.host.batchIntervalMs - (performance.now() - started);
    if (left <= 0 || rows >= this.host.maxBatchRows / 2) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }

  /** Whether changes wait for a time of the clock that will not come in this run. */
  private holdsBack(): boolean {
    return this.host.graph.operators.some(
      (operator) => operator.node.kind === 'coalesce' && operator.due?.() !== undefined,
    );
  }

  private tickDue(): boolean {
    const now = BigInt(this.host.now()) * 1000n;
    const turns = this.host.graph.operators.some((operator) => {
      const due = operator.due?.();
      return due !== undefined && due <= now;
    });
    if (turns) return true;
    const processing = this.host.graph.operators.some(
      (operator) => operator.node.kind === 'aggregate' && operator.node.close?.clock === 'processing',
    );
    return processing && this.host.now() - this.clockAtEpoch >= TICK_MS;
  }

  /** The engine's clock, microseconds; it never goes back. */
  private clock(): bigint {
    const now = BigInt(this.host.now()) * 1000n;
    if (now > this.latestClock) this.latestClock = now;
    return this.latestClock;
  }

  /** What is there for an epoch: waits until a source has something, or a table is to change, or a moment. */
  private async nextBatch(signal: AbortSignal | undefined): Promise<readonly Batch[]> {
    const live = this.sources.filter((source) => !source.exhausted || source.pending !== undefined);
    this.startPolls(live);
    const ready = new Map<SourceRun, readonly Chunk[]>();
    const waits = live.map(async (source) => {
      const chunks = await source.pending;
      ready.set(source, chunks ?? []);
    });
    const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
    const changed = this.host.changes.arrival();
    const bounded = live.length > 0 && live.every((source) => source.operator.node.plan.bounded);
    // Bounded input is there already: all sources bring their part, so that they advance together.
    if (bounded) await Promise.race([Promise.all(waits), changed]);
    else await Promise.race([...waits, aborted, changed, ...(live.length === 0 ? [this.clockTurns()] : [])]);
    await new Promise((resolve) => setImmediate(resolve));
    if (bounded && ready.size < live.length) return [];
    const batches: Batch[] = [];
    for (const [source, chunks] of ready) {
      source.pending = undefined;
      if (chunks.length > 0) batches.push({ source, chunks });
    }
    if (signal?.aborted !== true && batches.length > 0)
      this.startPolls(this.sources.filter((source) => !source.exhausted));
    return batches;
  }

  /** Without a source nobody else wakes the run when the clock calls for an epoch. */
  private clockTurns(): Promise<void> {
    const turns = this.host.graph.operators.some((operator) => operator.due !== undefined);
    return turns ? sleep(POLL_WAIT_MS) : new Promise(() => undefined);
  }

  private startPolls(sources: readonly SourceRun[]): void {
    const frontiers = this.sources.flatMap((source) => source.frontier() ?? []);
    const frontier = frontiers.length === 0 ? undefined : frontiers.reduce((low, next) => (next < low ? next : low));
    const maxRecords = Math.max(1, Math.floor(this.host.maxBatchRows / Math.max(1, sources.length)));
    for (const source of sources) {
      if (source.pending !== undefined) continue;
      const partitions = this.host.pollAll ? 'all' : source.allowed(frontier, this.slack);
      if (partitions !== 'all' && partitions.size === 0 && source.operator.node.plan.bounded) continue;
      source.pending = source.reader.poll({ partitions, maxRecords, waitMs: POLL_WAIT_MS });
      // A failure surfaces where the poll is awaited; until then it is not unhandled.
      source.pending.catch(() => undefined);
    }
  }

  /** Decodes an epoch's chunks. */
  private async prepare(batches: readonly Batch[], clock: bigint, last = false): Promise<Prepared> {
    const started = performance.now();
    this.clockAtEpoch = this.host.now();
    const stamped = clock === END_OF_TIME ? this.clock() : clock;
    const decoded: Prepared['decoded'] = new Map(
      await Promise.all(
        batches.map(async ({ source, chunks }) => {
          const rows = await source.decode(this.host.decodeConnection, chunks, stamped);
          return [source, { ...rows, chunks }] as const;
        }),
      ),
    );
    const decodeMs = performance.now() - started;
    return { clock, stamped, last, decoded, decodeMs, scripts: this.host.changes.take() };
  }

  /** Steps the operators over an epoch's rows and commits it. */
  private async process({ clock, stamped, last, decoded, decodeMs, scripts }: Prepared): Promise<void> {
    const { host } = this;
    const epoch = this.epoch++;
    const runStarted = performance.now();
    for (const source of this.sources) {
      const batch = decoded.get(source);
      const watermarksBefore = source.watermarks();
      const watermarkAfter = source.advance(batch?.decoded, batch?.chunks ?? [], host.now());
      await source.operator.ingest(
        batch === undefined ? undefined : { ...batch, watermarksBefore, watermarkAfter },
        watermarkAfter,
        clock,
      );
    }
    this.learnSlack(decoded);
    const changed = await this.changeTables(scripts);
    await host.graph.step({ number: epoch, clock, stamped, last });
    const anyLate = this.sources.some((source) => source.operator.mayBeLate());
    if (anyLate) await this.countLate();
    const runMs = performance.now() - runStarted;
    await this.commit(epoch, stamped, decoded, anyLate, { decodeMs, runMs });
    if (anyLate) await host.session.run('late', LATE_SHAPE);
    for (const script of changed) script.done();
    this.host.emit({ event: 'epoch', ...this.progress() });
  }

  /** Runs the scripts, each whole or not at all, and hands the tables' deltas over; the scripts that did not fail. */
  private async changeTables(scripts: readonly QueuedScript[]): Promise<readonly QueuedScript[]> {
    const { tables, graph } = this.host;
    const done: QueuedScript[] = [];
    for (const script of scripts) {
      try {
        await tables.apply(script.changes);
        done.push(script);
      } catch (error) {
        script.failed(error);
      }
    }
    for (const table of graph.tables) await table.take(tables.delta(table.node));
    await tables.settle();
    return done;
  }

  private async commit(
    epoch: number,
    clock: bigint,
    decoded: Prepared['decoded'],
    anyLate: boolean,
    spent: { decodeMs: number; runMs: number },
  ): Promise<void> {
    const dead = [...decoded].flatMap(([source, batch]) =>
      batch.decoded.dead.map((letter) => ({
        ...letter,
        source: source.name,
        partitionName: source.reader.partitions[letter.partition]?.name ?? String(letter.partition),
      })),
    );
    for (const { target, writer } of this.sinks) await this.stage(epoch, target, writer);
    const rows = [...decoded.values()].reduce((sum, batch) => sum + batch.decoded.rows, 0);
    await this.output.commit({
      epoch,
      clock,
      rows,
      dead,
      ...spent,
      ranges: [...decoded].flatMap(([source, batch]) => rangesOf(source, batch.chunks)),
      offsets: this.sources.flatMap((source) => source.committedOffsets()),
      watermarks: this.sources.map((source) => ({
        source: source.name,
        watermark: source.progress(this.host.now()).watermark,
      })),
      lateSources: anyLate
        ? this.sources.map((source) => ({
            source: source.name,
            partitions: source.reader.partitions.map((partition) => partition.name),
          }))
        : [],
    });
    for (const { writer } of this.sinks) await writer.publish(epoch);
    this.lastCommit = performance.now();
    this.rowsIn += rows;
    this.rate.add(rows);
    for (const [source, batch] of decoded) {
      source.counts.rows += batch.chunks.reduce((sum, chunk) => sum + chunk.records + chunk.rejected.length, 0);
      source.counts.dead += batch.decoded.dead.length;
      source.counts.firstReason ??= batch.decoded.dead[0]?.reason;
    }
  }

  private async stage(epoch: number, target: SinkTarget, writer: SinkWriter): Promise<void> {
    const operator = this.host.graph.operator(target.node);
    if (!operator.hasRows()) return writer.stage(epoch, raw('(SELECT 1 WHERE false)'), 0);
    const table = ident('delta', `sink of ${target.name}`);
    const rows = await this.host.session.run(
      target.name,
      sql`CREATE OR REPLACE TABLE ${table} AS ${sinkRows(target, operator.delta(false))}`,
    );
    return writer.stage(epoch, table, rows);
  }

  private async countLate(): Promise<void> {
    const counted = await this.host.session.rows(
      'late',
      sql`SELECT source, count(DISTINCT (partition, "offset")) AS n FROM ${LATE_STAGING} WHERE NOT partly GROUP BY source`,
    );
    for (const row of counted) {
      const source = this.sources.find((candidate) => candidate.name === row['source']);
      if (source !== undefined) source.counts.late += Number(row['n']);
    }
  }

  /** Partitions may run ahead of the slowest by about what an epoch brings. */
  private learnSlack(decoded: Prepared['decoded']): void {
    for (const { decoded: batch } of decoded.values()) {
      const [first] = batch.times;
      if (first === undefined) continue;
      const min = batch.times.reduce((low, stretch) => (stretch.min < low ? stretch.min : low), first.min);
      const max = batch.times.reduce((high, stretch) => (stretch.max > high ? stretch.max : high), first.max);
      this.slack = max - min;
    }
  }

  private sinkContext(): SinkContext {
    const { session, fresh } = this.host;
    return {
      fresh,
      run: async (statement) => {
        await session.run('sink', statement);
      },
      query: async (statement) => rowObjects(await session.table('sink', statement)),
      print: (sink, columns, rows) => {
        const table = { columns, rows: rows.map((row) => columns.map((column) => row[column.name])) };
        this.host.emit({ event: 'rows', sink, table });
      },
    };
  }

  progress(): Progress {
    const now = this.host.now();
    return {
      epoch: this.epoch - 1,
      seconds: (performance.now() - this.firstRead) / 1000,
      rowsIn: this.rowsIn,
      rowsPerSecond: this.rate.perSecond(),
      sources: this.sources.map((source) => source.progress(now)),
    };
  }

  async summary(interrupted: boolean): Promise<RunSummary> {
    const seconds = (this.lastCommit - this.firstRead) / 1000;
    const views = await this.output.counts();
    const sources = this.progress().sources;
    return {
      seconds,
      epochs: this.epoch,
      rowsIn: sources.reduce((sum, source) => sum + source.rows, 0),
      rowsPerSecond: seconds > 0 ? this.rowsIn / seconds : 0,
      late: views.reduce((sum, view) => sum + view.late, 0),
      deadLetters: sources.reduce((sum, source) => sum + source.deadLetters, 0),
      sources,
      views,
      interrupted,
    };
  }

  async close(): Promise<void> {
    this.ended.abort();
    for (const source of this.sources) {
      const pending = await Promise.race([
        source.pending?.catch(() => []),
        sleep(CLOSE_WAIT_MS, undefined, { ref: false }),
      ]);
      for (const chunk of pending ?? []) chunk.release();
      await source.reader.close();
    }
    for (const { writer } of this.sinks) await writer.close();
  }
}

/** Rows as objects of JSON values. */
const rowObjects = (table: Table): readonly Readonly<Record<string, unknown>>[] =>
  table.rows.map((row) => Object.fromEntries(table.columns.map((column, i) => [column.name, row[i]])));

/** Settles only if the work fails: a stream that is quiet must not hide it. */
const failureOf = (work: Promise<void>): Promise<never> => work.then(() => new Promise<never>(() => undefined));

function rangesOf(
  source: SourceRun,
  chunks: readonly Chunk[],
): { source: string; partition: string; from: number; to: number; records: number }[] {
  const ranges = new Map<number, { source: string; partition: string; from: number; to: number; records: number }>();
  for (const chunk of chunks) {
    const known = ranges.get(chunk.partition);
    if (known !== undefined && known.to !== chunk.from) {
      throw new StreamsqlError(
        'INTERNAL',
        `source ${source.name}: a chunk begins at ${chunk.from} where the one before it ended at ${known.to}`,
      );
    }
    const partition = source.reader.partitions[chunk.partition]?.name ?? String(chunk.partition);
    const records = chunk.records + chunk.rejected.length;
    if (known === undefined)
      ranges.set(chunk.partition, { source: source.name, partition, from: chunk.from, to: chunk.to, records });
    else ranges.set(chunk.partition, { ...known, to: chunk.to, records: known.records + records });
  }
  return [...ranges.values()];
}
