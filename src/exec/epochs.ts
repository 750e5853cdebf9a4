import type { Fault } from '../base/fault.ts';
import type { OperatorDelta } from '../base/run.ts';
import { sql } from '../base/sql.ts';
import type { Plan, PlanNode } from '../planner/plan.ts';
import type { Batch } from './batches.ts';
import type { ChangeQueue, QueuedScript } from './change-queue.ts';
import type { DuckConnection } from './duck.ts';
import type { EngineClock } from './engine-clock.ts';
import type { LoggedEpoch } from './epoch-log.ts';
import { epochRecord, type DecodedBatches } from './epoch-record.ts';
import type { Graph } from './graph.ts';
import { LATE_SHAPE, LATE_STAGING } from './late.ts';
import { operatorDeltas } from './operator-deltas.ts';
import { END_OF_TIME, type EpochClock } from './operators/operator.ts';
import type { TableOperator } from './operators/table.ts';
import { changesOf } from './results-schema.ts';
import type { EpochRecord, Results } from './results.ts';
import type { Session } from './session.ts';
import type { SinkWriters } from './sink-writers.ts';
import type { SourceRun } from './source-run.ts';
import { statementText, type Tables } from './tables.ts';

export interface EpochsHost {
  readonly plan: Plan;
  readonly graph: Graph;
  readonly session: Session;
  readonly decodeConnection: DuckConnection;
  readonly tables: Tables;
  readonly changes: ChangeQueue;
  readonly sources: readonly SourceRun[];
  readonly sinks: SinkWriters;
  readonly clock: EngineClock;
  readonly fault: Fault;
}

/** An epoch that is decoded and waits for the operators. */
export interface Prepared {
  readonly clock: bigint;
  /** The clock that its rows are stamped with: not the end of time. */
  readonly stamped: bigint;
  /** No epoch comes after it. */
  readonly last: boolean;
  readonly decoded: DecodedBatches;
  readonly decodeMs: number;
  readonly scripts: readonly QueuedScript[];
  /** Is told what each operator gave. */
  readonly stepped?: ((deltas: readonly OperatorDelta[]) => void) | undefined;
}

/** One epoch after another: decode, step the operators, commit. */
export class Epochs {
  /** The number of the next one. */
  next = 0;
  private readonly host: EpochsHost;

  constructor(host: EpochsHost) {
    this.host = host;
  }

  /** Decodes an epoch's chunks. `clock`: END_OF_TIME where the input is over. */
  async prepare(batches: readonly Batch[], clock: bigint, last = false): Promise<Prepared> {
    const { host } = this;
    const started = performance.now();
    host.clock.epochBegins();
    const stamped = clock === END_OF_TIME ? host.clock.micros() : clock;
    const decoded = await this.decode(batches, stamped);
    host.fault('decoded');
    const decodeMs = performance.now() - started;
    return { clock, stamped, last, decoded, decodeMs, scripts: host.changes.take() };
  }

  private async decode(batches: readonly Batch[], stamped: bigint): Promise<DecodedBatches> {
    const all = batches.map(async ({ source, chunks }) => {
      const rows = await source.decode(this.host.decodeConnection, chunks, stamped);
      return [source, { ...rows, chunks }] as const;
    });
    return new Map(await Promise.all(all));
  }

  /** Steps the operators over an epoch's rows and commits it; what it came to. */
  async process(prepared: Prepared, results: Results): Promise<EpochRecord> {
    const { host } = this;
    const epoch = this.next++;
    const started = performance.now();
    await this.ingest(prepared.decoded, prepared, undefined);
    const changed = await this.changeTables(prepared.scripts);
    const kept = changed.filter((script) => script.kept).flatMap(({ changes }) => changes);
    if (kept.length > 0)
      results.statements = [...results.statements, ...kept.map(({ sql: text }) => statementText(text))];
    host.fault('tables-changed');
    const { clock, stamped, last } = prepared;
    const late = await this.step({ number: epoch, clock, stamped, last });
    if (prepared.stepped !== undefined) prepared.stepped(await operatorDeltas(host.graph, host.session));
    const own = { epoch, clock: prepared.stamped, closing: prepared.last, decodeMs: prepared.decodeMs };
    await host.sinks.stage(epoch);
    host.fault('staged');
    const runMs = performance.now() - started;
    const record = epochRecord(host.sources, prepared.decoded, late, { ...own, runMs });
    host.fault('committing');
    await results.commit(record);
    host.fault('committed');
    await host.sinks.publish(epoch);
    host.fault('published');
    await this.account(prepared.decoded, epoch, prepared.stamped);
    if (late) await host.session.run('late', LATE_SHAPE);
    for (const script of changed) script.done();
    return record;
  }

  /** Does an epoch again that is committed already: for the state that it left, and for sinks that have not got it. `but`: nodes that are there already. */
  async again(logged: LoggedEpoch, batches: readonly Batch[], but: ReadonlySet<PlanNode>): Promise<void> {
    const { host } = this;
    this.next = logged.epoch + 1;
    host.clock.atLeast(logged.clock);
    const ended = logged.closing && host.plan.sources.every((source) => source.plan.bounded);
    const clock = ended ? END_OF_TIME : logged.clock;
    const at = { number: logged.epoch, clock, stamped: logged.clock, last: logged.closing };
    const take = (table: TableOperator): Promise<void> => table.takeLogged(changesOf(table.node.name), logged.epoch);
    const { decoded, late } = await this.pass(at, batches, logged.announced, take, but);
    await host.sinks.settle(logged.epoch);
    await this.account(decoded, logged.epoch, logged.clock);
    if (late) await host.session.run('late', LATE_SHAPE);
    host.fault('recovery-epoch-replayed');
  }

  /** An epoch that commits nothing: decodes, takes the tables' changes, steps the operators `but` some. */
  async pass(
    at: EpochClock,
    batches: readonly Batch[],
    announced: ReadonlyMap<string, bigint> | undefined,
    take: (table: TableOperator) => Promise<void>,
    but?: ReadonlySet<PlanNode>,
  ): Promise<{ readonly decoded: DecodedBatches; readonly late: boolean }> {
    const decoded = await this.decode(batches, at.stamped);
    await this.ingest(decoded, at, announced);
    for (const table of this.host.graph.tables) await take(table);
    return { decoded, late: await this.step(at, but) };
  }

  /** Hands the sources their rows, and says where their watermarks are: where they are by now, or where they were. */
  private async ingest(
    decoded: DecodedBatches,
    { clock, stamped }: Pick<EpochClock, 'clock' | 'stamped'>,
    announced: ReadonlyMap<string, bigint> | undefined,
  ): Promise<void> {
    const { host } = this;
    for (const source of host.sources) {
      const batch = decoded.get(source);
      const watermarksBefore = source.clock.watermarks();
      if (announced === undefined) source.clock.decide(stamped);
      source.advance(batch?.decoded, batch?.chunks ?? [], stamped);
      // The watermark of an epoch that is done again is the one that it had.
      if (announced !== undefined) source.clock.restore(announced.get(source.name), stamped);
      const watermarkAfter = source.clock.watermark;
      await source.operator.ingest(
        batch === undefined ? undefined : { ...batch, watermarksBefore, watermarkAfter },
        watermarkAfter,
        clock,
      );
    }
  }

  /** Whether rows were late. */
  private async step(epoch: EpochClock, but?: ReadonlySet<PlanNode>): Promise<boolean> {
    const { host } = this;
    await host.graph.step(epoch, but);
    host.fault('stepped');
    const late = host.sources.some((source) => source.operator.mayBeLate());
    if (late) await this.countLate();
    return late;
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

  /** Counts what an epoch has read, and hands it to who keeps it. */
  private async account(decoded: DecodedBatches, epoch: number, clock: bigint): Promise<void> {
    for (const [source, batch] of decoded) {
      source.committed(batch.chunks);
      source.counts.rows += batch.chunks.reduce((sum, chunk) => sum + chunk.records + chunk.rejected.length, 0);
      source.counts.dead += batch.decoded.dead.length;
      source.counts.firstReason ??= batch.decoded.dead[0]?.reason;
      await source.keep(batch.chunks, epoch, clock);
    }
  }

  private async countLate(): Promise<void> {
    const { session, sources } = this.host;
    const counted = await session.rows(
      'late',
      sql`SELECT source, count(DISTINCT (partition, "offset")) AS n FROM ${LATE_STAGING} WHERE NOT partly GROUP BY source`,
    );
    for (const row of counted) {
      const source = sources.find((candidate) => candidate.name === row['source']);
      if (source !== undefined) source.counts.late += Number(row['n']);
    }
  }
}
