import type { SourceContext, SourceReader } from '../base/connector.ts';
import { inOrder, planOf, rootsOf, type Plan, type PlanNode } from '../planner/plan.ts';
import { Batches } from './batches.ts';
import { ChangeQueue } from './change-queue.ts';
import type { Recovery } from './checkpoint/find.ts';
import type { Memo } from './checkpoint/manifest.ts';
import { EngineClock } from './engine-clock.ts';
import { Epochs } from './epochs.ts';
import { epochRecord } from './epoch-record.ts';
import { Graph } from './graph.ts';
import { LATE_SHAPE } from './late.ts';
import { limited } from './limited-reader.ts';
import { hasMembers, lineMembers } from './retained/members.ts';
import { readerFromStart, type FromStart } from './retained/from-retained.ts';
import type { Results } from './results.ts';
import type { RuntimeHost } from './runtime.ts';
import { SinkWriters } from './sink-writers.ts';
import { SourceRun } from './source-run.ts';
import type { StashedTable } from './state.ts';
import { turnedUp } from './turned-up.ts';

/** The nodes that only views and sinks read that are new. */
export function freshNodes(plan: Plan, added: ReadonlySet<string>): ReadonlySet<PlanNode> {
  const kept = {
    tables: plan.tables.filter(({ name }) => !added.has(name)),
    views: plan.views.filter(({ name }) => !added.has(name)),
    sinks: plan.sinks.filter(({ name }) => !added.has(name)),
  };
  const known = new Set(inOrder(rootsOf(kept)));
  return new Set(inOrder(rootsOf(plan)).filter((node) => !known.has(node)));
}

/** The state of operators that were filled with what came before they were there. */
export type Backfilled = ReadonlyMap<PlanNode, { readonly memo: Memo; readonly tables: readonly StashedTable[] }>;

/** Where the sources stood after the last epoch, and what their watermarks were. */
interface Standing {
  readonly positions: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly announced: ReadonlyMap<string, bigint>;
  readonly clock: bigint;
}

/**
 * Views that were added: reads all their sources from the start of each to where the run stands, and computes them and what
 * they read, apart from the run. Their tables in the results are filled; their operators' state is put aside. Undefined
 * where there are none, or nothing that they read has been there before. `folder`: of the state.
 */
export async function backfill(
  host: RuntimeHost,
  recovery: Recovery,
  results: Results,
  folder: string,
): Promise<Backfilled | undefined> {
  if (recovery.changes.added.size === 0) return undefined;
  const plan = subPlan(host.plan, recovery.changes.added);
  const standing = standingOf(recovery);
  const graph = new Graph(host.session, plan);
  const before = graph.tables.filter((table) => !recovery.changes.added.has(table.node.name));
  const known = plan.sources.some((source) => standing.positions.has(source.name));
  if (!known && before.length === 0) return undefined;
  const ended = new AbortController();
  const sources: SourceRun[] = [];
  const clock = new EngineClock(() => Number(standing.clock / 1000n), graph);
  const epochs = new Epochs({ ...host, plan, graph, sources, clock, sinks: new SinkWriters({ ...host, plan }) });
  const batches = new Batches({ ...host, plan, clock, changes: new ChangeQueue(), keepOpen: false }, sources);
  try {
    for (const operator of graph.sources) {
      const reader = await openReader(host, recovery, folder, operator.node.name, standing, ended.signal);
      if (reader === undefined) continue;
      const source = new SourceRun(operator, reader, () => clock.micros());
      await source.reader.open();
      sources.push(source);
    }
    await host.session.run('late', LATE_SHAPE);
    await graph.open();
    for (const source of sources) await source.peek(host.decodeConnection, standing.clock);
    const filling = results.alike(plan, graph);
    const at = { number: recovery.last, clock: standing.clock, stamped: standing.clock, last: false };
    const pass = async (next: Parameters<Epochs['pass']>[1], announced?: ReadonlyMap<string, bigint>, first = false): Promise<void> => {
      const { decoded, late } = await epochs.pass(at, next, announced, (table) => table.takeAll(first));
      const own = { epoch: recovery.last, clock: standing.clock, closing: false, decodeMs: 0, runMs: 0 };
      await filling.fill(recovery.changes.added, epochRecord(sources, decoded, late, own));
      if (late) await host.session.run('late', LATE_SHAPE);
    }; // prettier-ignore
    await pass([], undefined, true);
    while (!sources.every((source) => reached(source, standing))) {
      const next = await batches.next(undefined);
      if (next.length > 0) await pass(next);
    }
    await pass([], standing.announced);
    return await stashed(graph, freshNodes(host.plan, recovery.changes.added));
  } finally {
    ended.abort();
    await batches.close();
  }
}

/** The added views and sinks with all that they read: other views too, so that late rows are each one's own. */
function subPlan(plan: Plan, added: ReadonlySet<string>): Plan {
  const views = plan.views.filter(({ name }) => added.has(name));
  const sinks = plan.sinks.filter(({ name }) => added.has(name));
  const read = new Set(inOrder([...views, ...sinks].map(({ node }) => node)));
  return planOf(plan.views.filter((view) => read.has(view.node)), sinks, []); // prettier-ignore
}

function standingOf({ manifest, epochs }: Recovery): Standing {
  const positions = new Map(
    manifest.sources.map((source) => [
      source.name,
      new Map(source.partitions.map(({ name, position }) => [name, position])),
    ]),
  );
  for (const { source, partition, to } of epochs.flatMap((epoch) => epoch.ranges))
    positions.get(source)?.set(partition, to);
  const saved = manifest.sources.flatMap(({ name, watermark }) =>
    watermark === null ? [] : [[name, BigInt(watermark)] as const],
  );
  const last = epochs.at(-1);
  return { positions, announced: last?.announced ?? new Map(saved), clock: last?.clock ?? BigInt(manifest.clock) };
}

/** From its start, or as far back as its records are retained. */
async function openReader(
  host: RuntimeHost,
  { manifest, epochs }: Recovery,
  folder: string,
  name: string,
  standing: Standing,
  signal: AbortSignal,
): Promise<SourceReader | undefined> {
  const node = host.plan.sources.find((source) => source.name === name);
  const state = manifest.sources.find((source) => source.name === name);
  const limits = standing.positions.get(name);
  if (node === undefined || state === undefined || limits === undefined) return undefined;
  const warn = (message: string): void => host.emit({ event: 'warning', message });
  const skipped: SourceContext['skipped'] =
    node.plan.logged === true
      ? (partition, _, to) => warn(`source ${name}: the views that are added start with what is still there: ${partition} from ${to}`)
      : host.onGap !== 'skip' ? undefined : (partition, from, to) =>
          warn(`source ${name}: ${partition}, ${from} to ${to}, is lost: the views that are added go without it`); // prettier-ignore
  const own: FromStart['open'] = (resume, without) => {
    const context: SourceContext = {
      scratch: host.scratch,
      parallelism: host.parallelism,
      query: (statement) => host.decodeConnection.rows(statement),
      notice: () => undefined,
      signal,
      ...(node.plan.logged === true && { log: host.intake.of(name, false) }),
      resume: { ...resume, turnedUp: turnedUp(state, epochs) },
      ...(without !== undefined && { skipped: without }),
    };
    return host.openReader?.(node, context) ?? node.plan.open(context);
  };
  const kept = manifest.retained?.find(({ source }) => source === name);
  const retained = kept !== undefined && hasMembers(kept, lineMembers(node)) ? kept : undefined;
  if (kept !== retained)
    warn(`source ${name}: its records are retained with other METADATA columns, and are read from the source itself`);
  const reading = { folder, connection: host.decodeConnection, scratch: host.scratch, open: own, skipped, warn };
  return limited(await readerFromStart(reading, state, retained), limits);
}

/** Whether epochs have taken all that there is to take; what is read ahead of them does not count. */
const reached = (source: SourceRun, { positions }: Standing): boolean =>
  source.positions().every(({ name, position }) => position >= (positions.get(source.name)?.get(name) ?? 0));

async function stashed(graph: Graph, fresh: ReadonlySet<PlanNode>): Promise<Backfilled> {
  const found = new Map<PlanNode, { memo: Memo; tables: StashedTable[] }>();
  for (const operator of graph.operators) {
    if (!fresh.has(operator.node) || (operator.tables === undefined && operator.save === undefined)) continue;
    const tables: StashedTable[] = [];
    for (const table of operator.tables ?? []) tables.push(await table.stash());
    found.set(operator.node, { memo: operator.save?.() ?? null, tables });
  }
  return found;
}

/** Gives the operators of a graph, which is open, what was put aside for them. */
export async function adopt(graph: Graph, backfilled: Backfilled): Promise<void> {
  for (const [node, { memo, tables }] of backfilled) {
    const operator = graph.operator(node);
    for (const [i, table] of (operator.tables ?? []).entries()) {
      const stash = tables[i];
      if (stash !== undefined) await table.adopt(stash);
    }
    operator.load?.(memo);
  }
}
