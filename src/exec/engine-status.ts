import type { RunEvent } from '../base/run.ts';
import { ident, sql } from '../base/sql.ts';
import type { CheckpointStatus, EngineStatus, SourceStatus, ViewStatus, WindowStatus } from '../base/status.ts';
import { inOrder, type MaterializedView, type Plan, type PlanNode } from '../planner/plan.ts';
import type { SourceNode } from '../planner/plan-sources.ts';
import type { OperatorState } from './checkpoint/manifest.ts';
import type { DuckConnection } from './duck.ts';
import type { Graph } from './graph.ts';
import { END_OF_TIME, type Operator } from './operators/operator.ts';
import { RateMeter } from './rate.ts';
import { meta } from './results-schema.ts';
import type { Runtime } from './runtime.ts';
import type { SourceRun } from './source-run.ts';
import type { StateTable } from './state.ts';
import { partitionStatus, whatHolds } from './source-standing.ts';
import { version } from './version.ts';
import { leastOf, ownNodes, waitingOf } from './waiting.ts';

/** What a status is made of while an engine runs. */
export interface RunningParts {
  readonly plan: Plan;
  readonly graph: Graph;
  readonly runtime: Runtime;
  /** Whether a source is left alone for now. */
  readonly isPaused: (source: string) => boolean;
  /** What the last checkpoint holds of a node. */
  readonly stored: (node: PlanNode) => OperatorState | undefined;
}

/** Follows a run, and says how it stands when it is asked. What it asks DuckDB it asks on a connection of its own. */
export class StatusDesk {
  phase: EngineStatus['phase'] = 'idle';
  private readonly db: string;
  private readonly now: () => number;
  private readonly connect: () => Promise<DuckConnection>;
  private parts: RunningParts | undefined;
  private since: string | undefined;
  private checkpoint: CheckpointStatus | undefined;
  private readonly rates = new Map<string, { readonly meter: RateMeter; rows: number }>();

  constructor(host: {
    readonly db: string;
    readonly now: () => number;
    readonly connect: () => Promise<DuckConnection>;
  }) {
    this.db = host.db;
    this.now = host.now;
    this.connect = host.connect;
  }

  begin(parts: RunningParts): void {
    this.parts = parts;
    this.since = new Date(this.now()).toISOString();
  }

  /** What a run says: rates and checkpoints are counted by it. */
  event(event: RunEvent): void {
    if (event.event === 'checkpoint') {
      const { epoch, ms, rows, bytes } = event;
      this.checkpoint = { epoch, at: new Date(this.now()).toISOString(), ms, rows, bytes };
    } else if (event.event === 'epoch') {
      for (const { name, rows } of event.sources) {
        const rate = this.rates.get(name) ?? { meter: new RateMeter(), rows };
        this.rates.set(name, rate);
        if (rows > rate.rows) rate.meter.add(rows - rate.rows);
        rate.rows = rows;
      }
    }
  }

  async status(): Promise<EngineStatus> {
    const connection = await this.connect();
    try {
      return await this.told(connection);
    } finally {
      connection.close();
    }
  }

  private async told(connection: DuckConnection): Promise<EngineStatus> {
    const now = this.now();
    const { parts } = this;
    const progress = parts?.runtime.progress();
    return {
      pid: process.pid,
      version: version(),
      db: this.db,
      phase: this.phase,
      at: new Date(now).toISOString(),
      since: this.since ?? null,
      epoch: progress?.epoch ?? -1,
      rowsIn: progress?.rowsIn ?? 0,
      rowsPerSecond: progress?.rowsPerSecond ?? 0,
      memory: await memory(connection),
      sources: parts?.runtime.reads.map((source) => this.source(source, now, parts.isPaused(source.name))) ?? [],
      views: parts === undefined ? [] : await viewsOf(parts, connection),
      sinks: (parts?.plan.sinks ?? []).map(({ name, connector }) => ({
        name,
        connector,
        notice: progress?.sinks.find((sink) => sink.name === name)?.notice ?? null,
      })),
      checkpoint: this.checkpoint ?? null,
    };
  }

  private source(source: SourceRun, now: number, paused: boolean): SourceStatus {
    const progress = source.progress(BigInt(now) * 1000n);
    const { node } = source.operator;
    const standing = source.standing(BigInt(now) * 1000n);
    const latest = standing.partitions.flatMap((partition) => partition.latest ?? []);
    const last = latest.reduce((high, next) => (next > high ? next : high), latest[0] ?? 0n);
    const behind = latest.length === 0 || node.plan.bounded ? null : Math.max(0, now - Number(last / 1000n));
    const lag = standing.partitions.reduce((sum, { position, end }) => sum + Math.max(0, (end ?? 0) - position), 0);
    return {
      name: source.name,
      connector: node.connector,
      bounded: node.plan.bounded,
      rows: progress.rows,
      rowsPerSecond: this.rates.get(source.name)?.meter.perSecond() ?? 0,
      lag: standing.partitions.some(({ end }) => end === undefined) ? null : lag,
      behindMs: behind,
      watermark: progress.watermark === undefined ? null : String(progress.watermark),
      late: progress.late,
      deadLetters: progress.deadLetters,
      skipped: progress.skipped,
      firstReason: progress.firstReason ?? null,
      notice: progress.notice ?? null,
      paused,
      ...whatHolds(standing, now, paused),
      partitions: standing.partitions.map(partitionStatus),
    };
  }
}

async function memory(connection: DuckConnection): Promise<number | null> {
  const bytes = await connection.text(sql`SELECT CAST(sum(memory_usage_bytes) AS VARCHAR) FROM duckdb_memory()`);
  return bytes === undefined ? null : Number(bytes);
}

async function viewsOf(parts: RunningParts, connection: DuckConnection): Promise<readonly ViewStatus[]> {
  const roots = new Set(parts.plan.views.map((view) => view.node));
  const views: ViewStatus[] = [];
  for (const view of parts.plan.views) views.push(await viewOf(parts, view, roots, connection));
  return views;
}

async function viewOf(
  { plan, graph, runtime, stored }: RunningParts,
  view: MaterializedView,
  roots: ReadonlySet<PlanNode>,
  connection: DuckConnection,
): Promise<ViewStatus> {
  const [counted] = await connection.rows(
    sql`SELECT (SELECT count(*) FROM ${ident('res', 'main', view.name)}) AS n,
      (SELECT count(*) FROM ${meta('late')} WHERE view = ${view.name} AND NOT partly) AS late`,
  );
  const others = new Set([...roots].filter((node) => node !== view.node));
  const nodes = ownNodes(view.node, others);
  const operators = nodes.map((node) => graph.operator(node));
  const tables = operators.flatMap((operator) => operator.tables ?? []);
  const { name, emit } = view;
  return {
    name,
    emit,
    rows: Number(counted?.['n']),
    stateRows: await rowsOf(tables, connection),
    stateBytes: bytesOf(nodes.flatMap((node) => stored(node) ?? [])),
    late: Number(counted?.['late']),
    window: plan.sources.length === 0 ? null : await nextWindow(graph, operators, runtime.reads, connection),
  };
}

const bytesOf = (states: readonly OperatorState[]): number =>
  states
    .flatMap(({ tables }) => tables.flatMap(({ segments }) => segments))
    .reduce((sum, { file, gone }) => sum + (file?.bytes ?? 0) + (gone?.bytes ?? 0), 0);

/** What tables say of themselves is no more than a bound where a MERGE changes them. */
async function rowsOf(tables: readonly StateTable[], connection: DuckConnection): Promise<number> {
  let rows = 0;
  for (const table of tables) {
    const counted = await connection.text(sql`SELECT CAST(count(*) AS VARCHAR) FROM ${table.name}`).catch(() => undefined); // prettier-ignore
    rows += counted === undefined ? table.rows : Number(counted);
  }
  return rows;
}

/** The window that closes first of all that a view's operators hold. */
async function nextWindow(
  graph: Graph,
  operators: readonly Operator[],
  sources: readonly SourceRun[],
  connection: DuckConnection,
): Promise<WindowStatus | null> {
  let next: WindowStatus | null = null;
  for (const operator of operators) {
    const waiting = waitingOf(graph, operator);
    if (waiting === undefined) continue;
    // The stream makes its tables anew now and then, and a name may be gone for a moment.
    const value = await connection.text(leastOf(waiting)).catch(() => undefined);
    if (value === undefined) continue;
    const { start, end, closesAt } = waiting.window(BigInt(value));
    if (next !== null && BigInt(next.closesAt) <= closesAt) continue;
    const { clock, watermark } = waiting;
    next = {
      start: start === undefined ? null : String(start),
      end: String(end),
      closesAt: String(closesAt),
      clock,
      watermark: watermark === undefined || watermark >= END_OF_TIME / 2n ? null : String(watermark),
      source: slowest(operator.node, sources),
    };
  }
  return next;
}

/** Of the sources of a node the one whose watermark is least. */
function slowest(node: PlanNode, sources: readonly SourceRun[]): string | null {
  const read = new Set(inOrder([node]).filter((each): each is SourceNode => each.kind === 'source'));
  let found: SourceRun | undefined;
  for (const source of sources) {
    if (!read.has(source.operator.node) || source.operator.node.eventTime === undefined) continue;
    const isLess = found === undefined || source.clock.watermark === undefined || (found.clock.watermark !== undefined && source.clock.watermark < found.clock.watermark); // prettier-ignore
    if (isLess) found = source;
  }
  return found?.name ?? null;
}
