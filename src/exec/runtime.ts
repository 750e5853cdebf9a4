import type { ScratchPool, SourceContext, SourceReader } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { Progress, RunEvent, RunSummary } from '../base/run.ts';
import { sql } from '../base/sql.ts';
import type { SourceNode } from '../planner/plan-sources.ts';
import type { Plan } from '../planner/plan.ts';
import { Batches, type Batch } from './batches.ts';
import type { ChangeQueue, QueuedScript } from './change-queue.ts';
import type { DuckConnection } from './duck.ts';
import { EngineClock } from './engine-clock.ts';
import { epochRecord, type DecodedBatches } from './epoch-record.ts';
import type { Graph } from './graph.ts';
import { LATE_SHAPE, LATE_STAGING } from './late.ts';
import { END_OF_TIME } from './operators/operator.ts';
import type { Results } from './results.ts';
import { RateMeter } from './rate.ts';
import type { Session } from './session.ts';
import { SinkWriters } from './sink-writers.ts';
import type { Tables } from './tables.ts';
import { SourceRun } from './source-run.ts';

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

const PROGRESS_MS = 1000;

/** An epoch that is decoded and waits for the operators. */
interface Prepared {
  readonly clock: bigint;
  /** The clock that its rows are stamped with: not the end of time. */
  readonly stamped: bigint;
  /** No epoch comes after it. */
  readonly last: boolean;
  readonly decoded: DecodedBatches;
  readonly decodeMs: number;
  readonly scripts: readonly QueuedScript[];
}

/** Runs a plan epoch by epoch: choose the ranges, decode, step the operators, commit. */
export class Runtime {
  private readonly host: RuntimeHost;
  private readonly sources: SourceRun[] = [];
  private readonly clock: EngineClock;
  private readonly batches: Batches;
  private readonly sinks: SinkWriters;
  private readonly rate = new RateMeter();
  private readonly ended = new AbortController();
  private results: Results | undefined;
  private epoch = 0;
  private firstRead = 0;
  private lastCommit = 0;
  private rowsIn = 0;

  constructor(host: RuntimeHost) {
    this.host = host;
    this.clock = new EngineClock(host.now, host.graph);
    this.batches = new Batches({ ...host, clock: this.clock }, this.sources);
    this.sinks = new SinkWriters({ ...host, job: '', resumeAt: undefined });
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
    for (const source of this.sources) await source.peek(host.decodeConnection, this.clock.micros());
  }

  /** Opens what the run writes. */
  async openOutput(results: Results): Promise<void> {
    this.results = results;
    await this.sinks.open();
  }

  /** Runs until the input ends or the signal aborts; the batch that is under way is finished. */
  async run(signal: AbortSignal | undefined): Promise<{ interrupted: boolean }> {
    this.firstRead = performance.now();
    this.lastCommit = this.firstRead;
    await this.process(await this.prepare([], this.clock.micros()));
    // The next batch is decoded while the operators of the last one still run and commit.
    let running: Promise<void> = Promise.resolve();
    let progressAt = performance.now();
    try {
      for (;;) {
        if (signal?.aborted === true || (this.batches.ended && !this.host.changes.pending)) break;
        const started = performance.now();
        const batches = await Promise.race([this.batches.next(signal), failureOf(running)]);
        // Whether the clock calls for an epoch is known when the last one is over.
        if (batches.length === 0) await running;
        if (batches.length > 0 || this.clock.due() || this.host.changes.pending) {
          const prepared = await this.prepare(batches, this.clock.micros());
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
        await this.batches.pause(batches, started, signal);
      }
    } catch (error) {
      await running.catch(() => undefined);
      throw error;
    }
    await running;
    const interrupted = signal?.aborted === true;
    if (!interrupted && this.host.plan.sources.every((source) => source.plan.bounded))
      await this.process(await this.prepare([], END_OF_TIME, true));
    else if (this.clock.holdsBack()) await this.process(await this.prepare([], this.clock.micros(), true));
    if (interrupted) return { interrupted };
    await this.sinks.finish();
    return { interrupted: false };
  }

  private get output(): Results {
    if (this.results === undefined) throw new StreamsqlError('INTERNAL', 'the results are not open');
    return this.results;
  }

  /** Decodes an epoch's chunks. */
  private async prepare(batches: readonly Batch[], clock: bigint, last = false): Promise<Prepared> {
    const started = performance.now();
    this.clock.epochBegins();
    const stamped = clock === END_OF_TIME ? this.clock.micros() : clock;
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
  private async process(prepared: Prepared): Promise<void> {
    const { host } = this;
    const { clock, stamped, last, decoded, scripts } = prepared;
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
    this.batches.learnSlack(decoded);
    const changed = await this.changeTables(scripts);
    await host.graph.step({ number: epoch, clock, stamped, last });
    const anyLate = this.sources.some((source) => source.operator.mayBeLate());
    if (anyLate) await this.countLate();
    const runMs = performance.now() - runStarted;
    await this.commit(prepared, epoch, anyLate, runMs);
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
    { stamped, decoded, decodeMs }: Prepared,
    epoch: number,
    anyLate: boolean,
    runMs: number,
  ): Promise<void> {
    await this.sinks.stage(epoch);
    const own = { epoch, clock: stamped, decodeMs, runMs };
    const record = epochRecord(this.sources, decoded, anyLate, own, this.host.now());
    await this.output.commit(record);
    await this.sinks.publish(epoch);
    this.lastCommit = performance.now();
    this.rowsIn += record.rows;
    this.rate.add(record.rows);
    for (const [source, batch] of decoded) {
      source.counts.rows += batch.chunks.reduce((sum, chunk) => sum + chunk.records + chunk.rejected.length, 0);
      source.counts.dead += batch.decoded.dead.length;
      source.counts.firstReason ??= batch.decoded.dead[0]?.reason;
    }
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

  progress(): Progress {
    const now = this.host.now();
    return {
      epoch: this.epoch - 1,
      seconds: (performance.now() - this.firstRead) / 1000,
      rowsIn: this.rowsIn,
      rowsPerSecond: this.rate.perSecond(),
      sources: this.sources.map((source) => source.progress(now)),
      sinks: this.sinks.progress(),
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
    await this.batches.close();
    await this.sinks.close();
  }
}

/** Settles only if the work fails: a stream that is quiet must not hide it. */
const failureOf = (work: Promise<void>): Promise<never> => work.then(() => new Promise<never>(() => undefined));
