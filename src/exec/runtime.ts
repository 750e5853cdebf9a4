import type { ScratchPool, SourceContext, SourceReader } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { Fault } from '../base/fault.ts';
import type { OperatorDelta, Progress, RunControl, RunEvent, RunOptions, RunSummary } from '../base/run.ts';
import type { Identity } from '../planner/fingerprint.ts';
import type { SourceNode } from '../planner/plan-sources.ts';
import type { Plan } from '../planner/plan.ts';
import { adopt, freshNodes, type Backfilled } from './backfill.ts';
import { Batches } from './batches.ts';
import type { ChangeQueue } from './change-queue.ts';
import type { Checkpoints, Standing } from './checkpoint/checkpoints.ts';
import type { Recovery } from './checkpoint/find.ts';
import { loadState } from './checkpoint/load.ts';
import { snapshotOf } from './checkpoint/snapshot.ts';
import type { DuckConnection } from './duck.ts';
import { EngineClock } from './engine-clock.ts';
import { Epochs, type Prepared } from './epochs.ts';
import type { Graph } from './graph.ts';
import { LATE_SHAPE } from './late.ts';
import { END_OF_TIME } from './operators/operator.ts';
import type { Intake } from './intake/intake.ts';
import { RateMeter } from './rate.ts';
import type { Retained } from './retained/retained.ts';
import type { Results } from './results.ts';
import type { Session } from './session.ts';
import { SinkWriters } from './sink-writers.ts';
import { SourceRun } from './source-run.ts';
import { StopRule } from './stop-rule.ts';
import type { Tables } from './tables.ts';
import { turnedUp } from './turned-up.ts';

export interface RuntimeHost {
  readonly plan: Plan;
  readonly identity: Identity;
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
  /** The logs of what cannot be read again. */
  readonly intake: Intake;
  readonly batchIntervalMs: number;
  readonly maxBatchRows: number;
  /** What an earlier run left goes. */
  readonly fresh: boolean;
  /** Names the job for good. */
  readonly job: string;
  readonly versions: Pick<Standing, 'format' | 'streamsql' | 'duckdb'>;
  readonly onGap: 'stop' | 'skip';
  readonly fault: Fault;
  /** A reader in place of the connector's own; tests feed rows through it. */
  readonly openReader?: (source: SourceNode, context: SourceContext) => SourceReader | undefined;
  /** The engine's clock, ms since 1970; tests turn it by hand. */
  readonly now: () => number;
  /** Sources are not kept together by event time: whoever feeds them decides. */
  readonly pollAll: boolean;
  readonly emit: (event: RunEvent) => void;
  readonly control: RunControl | undefined;
}

/** What a run writes. */
export interface Output {
  readonly results: Results;
  /** Absent where nothing is kept to go on from. */
  readonly checkpoints: Checkpoints | undefined;
  /** Absent where no raw records are kept. */
  readonly retained: Retained | undefined;
}

const PROGRESS_MS = 1000;
const ALIVE_MS = 2 ** 30;

/** Runs a plan epoch by epoch: choose the ranges, decode, step the operators, commit; and, now and then, a checkpoint. */
export class Runtime {
  private readonly host: RuntimeHost;
  private readonly sources: SourceRun[] = [];
  private readonly clock: EngineClock;
  private readonly batches: Batches;
  private readonly sinks: SinkWriters;
  private readonly epochs: Epochs;
  private readonly rate = new RateMeter();
  private readonly ended = new AbortController();
  private output: Output | undefined;
  private begun = false;
  /** A source has partitions that no checkpoint knows. */
  private hasGrown = false;
  /** The epoch after which nothing comes is done. */
  private over = false;
  private firstRead = 0;
  private lastCommit = 0;
  private rowsIn = 0;
  private epochsDone = 0;
  /** Records of earlier runs. */
  private recordsBefore = 0;

  constructor(host: RuntimeHost) {
    this.host = host;
    this.clock = new EngineClock(host.now, host.graph);
    this.batches = new Batches({ ...host, clock: this.clock }, this.sources);
    this.sinks = new SinkWriters(host);
    this.epochs = new Epochs({ ...host, sources: this.sources, sinks: this.sinks, clock: this.clock });
  }

  /** Opens what the run reads: sources, static tables. Nothing of an earlier run is touched. */
  async openInput(recovery: Recovery | undefined): Promise<void> {
    const { host } = this;
    for (const operator of host.graph.sources) {
      const run: { source?: SourceRun } = {};
      const state = recovery?.manifest.sources.find((source) => source.name === operator.node.name);
      const context: SourceContext = {
        scratch: host.scratch,
        parallelism: host.parallelism,
        query: (statement) => host.decodeConnection.rows(statement),
        notice: (message) => {
          if (run.source !== undefined) run.source.notice = message;
        },
        signal: this.ended.signal,
        ...(operator.node.plan.logged === true && { log: host.intake.of(operator.node.name, true) }),
        ...(state !== undefined && {
          resume: {
            partitions: state.partitions.map((each) => ({ ...each, ordinal: each.ordinal ?? undefined, end: each.end ?? undefined })),
            turnedUp: turnedUp(state, recovery?.epochs ?? []),
          },
        }),
        ...(host.onGap === 'skip' && {
          skipped: (partition, from, to) => {
            if (run.source !== undefined) run.source.counts.skipped += to - from;
            host.emit({ event: 'warning', message: `source ${operator.node.name}: ${partition}, ${from} to ${to}, is lost and skipped` });
          },
        }),
      }; // prettier-ignore
      const reader = host.openReader?.(operator.node, context) ?? operator.node.plan.open(context);
      run.source = new SourceRun(operator, reader, () => this.clock.micros());
      if (state !== undefined) run.source.load(state);
      await reader.open();
      this.hasGrown ||= state !== undefined && reader.partitions.length > state.partitions.length;
      this.sources.push(run.source);
    }
    await host.session.run('late', LATE_SHAPE);
    await host.graph.open();
    for (const source of this.sources) await source.peek(host.decodeConnection, this.clock.micros());
  }

  /** Opens what the run writes. */
  async openOutput(output: Output, recovery: Recovery | undefined, signal: AbortSignal | undefined): Promise<void> {
    this.output = output;
    output.results.watcher = this.host.control?.watcher;
    if (signal !== undefined) this.sinks.stopWith(signal);
    for (const source of this.sources) source.keeper = output.retained?.of(source.name);
    await this.sinks.open(recovery);
  }

  /** Takes the state of a checkpoint, and does the epochs after it again. */
  async recover(recovery: Recovery, folder: string, backfilled: Backfilled | undefined): Promise<void> {
    const { plan, graph, identity, session, fault, emit, tables } = this.host;
    const { added } = recovery.changes;
    const fresh = freshNodes(plan, added);
    const started = performance.now();
    fault('recovery-begun');
    await loadState(graph, identity, recovery.manifest, folder, session.connection, fresh);
    if (backfilled !== undefined) await adopt(graph, backfilled);
    this.clock.atLeast(BigInt(recovery.manifest.clock));
    this.epochs.next = recovery.manifest.epoch + 1;
    fault('recovery-state-loaded');
    for (const epoch of recovery.epochs) {
      await this.epochs.again(epoch, await this.batches.again(epoch.ranges), fresh);
      this.over = epoch.closing;
    }
    const { results } = this.opened;
    // Before the first epoch nothing of what the file did to its tables is in the results.
    if (recovery.last >= 0) {
      await tables.refill();
      results.statements = await tables.catchUp(await results.doneStatements());
    }
    results.again = recovery.epochs.length > 0;
    this.begun = recovery.last >= 0 && added.size === 0 && results.statements.length === 0;
    fault('recovery-done');
    const seconds = (performance.now() - started) / 1000;
    emit({ event: 'resumed', checkpoint: recovery.manifest.epoch, epoch: recovery.last, seconds });
  }

  /** Runs until the input ends, the signal aborts, or as much is done as was asked for; the batch under way is finished. */
  async run({ signal: outer, stopAfter }: RunOptions): Promise<{ interrupted: boolean }> {
    const stop = new StopRule(stopAfter ?? {}, outer);
    this.sinks.stopWith(stop.signal);
    // Where tables alone may change nothing else keeps the process.
    const alive = setInterval(() => undefined, ALIVE_MS);
    try {
      return await this.loop(stop);
    } finally {
      clearInterval(alive);
      stop.end();
    }
  }

  private async loop(stop: StopRule): Promise<{ interrupted: boolean }> {
    const { signal } = stop;
    const { control } = this.host;
    if (!this.begun || this.hasGrown) {
      // Whatever happens then, there is one to go on from, and the partitions keep their places.
      if (!this.begun && this.epochs.next === 0) this.opened.results.statements = this.host.tables.scripted;
      await this.checkpoint();
      await this.output?.checkpoints?.settled();
    }
    this.recordsBefore = this.records;
    this.firstRead = performance.now();
    this.lastCommit = this.firstRead;
    if (!this.begun) await this.process(await this.epochs.prepare([], this.clock.micros()), stop);
    // Of a run that goes on all is there that was, whether more comes or not.
    else this.host.emit({ event: 'progress', ...this.progress() });
    // The next batch is decoded while the operators of the last one still run and commit.
    let running: Promise<void> = Promise.resolve();
    let progressAt = performance.now();
    try {
      for (;;) {
        if (
          signal.aborted ||
          this.over ||
          (this.batches.ended && !this.host.changes.pending && control?.holds !== true)
        )
          break;
        const started = performance.now();
        const batches = await Promise.race([this.batches.next(signal), failureOf(running)]);
        // Whether the clock calls for an epoch is known when the last one is over.
        if (batches.length === 0) await running;
        const step = control?.stepping === true;
        let deltas: readonly OperatorDelta[] | undefined;
        if (batches.length > 0 || this.host.changes.pending || (control?.holds !== true && this.due())) {
          const prepared = await this.epochs.prepare(batches, this.clock.micros());
          await running;
          if (signal.aborted && stop.reached) break;
          running = this.process(step ? { ...prepared, stepped: (given) => (deltas = given) } : prepared, stop);
          running.catch(() => undefined);
          // A tick has brought nothing: it is over before anyone is asked for more.
          if (batches.length === 0 || step) await running;
        }
        if (deltas !== undefined) control?.stepped(deltas);
        if (performance.now() - progressAt > PROGRESS_MS) {
          progressAt = performance.now();
          this.host.emit({ event: 'progress', ...this.progress() });
          if (batches.length === 0) await this.sinks.tick();
        }
        await this.batches.pause(batches, started, signal);
      }
    } catch (error) {
      await running.catch(() => undefined);
      throw error;
    }
    await running;
    return this.finish(signal.aborted);
  }

  /** Whether an epoch is due though nothing comes: the clock calls for one, or moves a watermark. */
  private due(): boolean {
    const now = this.clock.micros();
    return this.clock.due() || this.sources.some((source) => source.clock.due(now));
  }

  private async finish(interrupted: boolean): Promise<{ interrupted: boolean }> {
    const { plan } = this.host;
    const kept = this.output?.checkpoints !== undefined;
    if (!this.over && !interrupted && plan.sources.every((source) => source.plan.bounded)) {
      const prepared = await this.epochs.prepare([], END_OF_TIME, true);
      const { control } = this.host;
      await this.process(control?.stepping === true ? { ...prepared, stepped: (deltas) => control.stepped(deltas) } : prepared); // prettier-ignore
    }
    // What waits for a time goes out now, unless the run can go on.
    else if (!this.over && this.clock.holdsBack() && !(interrupted && kept))
      await this.process(await this.epochs.prepare([], this.clock.micros(), true));
    if (interrupted) await this.checkpoint();
    await this.output?.checkpoints?.settled();
    if (!interrupted) await this.sinks.finish();
    return { interrupted };
  }

  private async process(prepared: Prepared, stop?: StopRule): Promise<void> {
    const { results, checkpoints } = this.opened;
    const record = await this.epochs.process(prepared, results);
    this.lastCommit = performance.now();
    this.rowsIn += record.rows;
    this.epochsDone++;
    this.rate.add(record.rows);
    stop?.done(record.rows);
    this.host.emit({ event: 'epoch', ...this.progress() });
    if (checkpoints?.due === true) await this.checkpoint();
    if (checkpoints?.oldest !== undefined) results.forgettable = checkpoints.oldest;
    // Nothing is gone on from: what an epoch has taken has served.
    if (checkpoints === undefined)
      await this.host.intake.forget(
        this.sources.map((source) => ({ name: source.name, partitions: source.positions() })),
      );
  }

  /** Between two epochs: pins the state, to be written while the stream goes on. */
  private async checkpoint(): Promise<void> {
    const { checkpoints } = this.opened;
    const { identity, graph, job, versions } = this.host;
    if (checkpoints === undefined) return;
    const standing: Standing = {
      ...versions,
      job,
      epoch: this.epochs.next - 1,
      takenAt: new Date().toISOString(),
      clock: String(this.clock.micros()),
      targets: identity.targets,
      sources: this.sources.map((source) => {
        const print = identity.sources.find((each) => each.name === source.name)?.fingerprint;
        return source.save(print ?? '');
      }),
    };
    await checkpoints.take(standing, () => snapshotOf(graph, identity));
  }

  private get opened(): Output {
    if (this.output === undefined) throw new StreamsqlError('INTERNAL', 'the results are not open');
    return this.output;
  }

  private get records(): number {
    return this.sources.reduce((sum, source) => sum + source.counts.rows, 0);
  }

  /** What it reads, for those who ask how it stands. */
  get reads(): readonly SourceRun[] {
    return this.sources;
  }

  progress(): Progress {
    const now = this.clock.micros();
    return {
      epoch: this.epochs.next - 1,
      seconds: (performance.now() - this.firstRead) / 1000,
      rowsIn: this.rowsIn,
      rowsPerSecond: this.rate.perSecond(),
      sources: this.sources.map((source) => source.progress(now)),
      sinks: this.sinks.progress(),
    };
  }

  async summary(interrupted: boolean): Promise<RunSummary> {
    const seconds = (this.lastCommit - this.firstRead) / 1000;
    const views = await this.opened.results.counts();
    const sources = this.progress().sources;
    return {
      seconds,
      epochs: this.epochsDone,
      rowsIn: this.records - this.recordsBefore,
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
    await this.output?.checkpoints?.settled();
    this.host.intake.abandon();
    await this.batches.close();
    await this.host.intake.close();
    await this.output?.retained?.close();
    await this.sinks.close();
  }
}

/** Settles only if the work fails: a stream that is quiet must not hide it. */
const failureOf = (work: Promise<void>): Promise<never> => work.then(() => new Promise<never>(() => undefined));
