import type { SinkContext, SinkWriter } from '../base/connector.ts';
import type { Fault } from '../base/fault.ts';
import type { Progress, RunEvent } from '../base/run.ts';
import { ident, raw, sql } from '../base/sql.ts';
import type { Plan, SinkTarget } from '../planner/plan.ts';
import { sinkRows } from './changelog.ts';
import type { Recovery } from './checkpoint/find.ts';
import type { Table } from './duck.ts';
import type { Graph } from './graph.ts';
import type { Session } from './session.ts';

export interface SinkWritersHost {
  readonly plan: Plan;
  readonly graph: Graph;
  readonly session: Session;
  /** What an earlier run left goes. */
  readonly fresh: boolean;
  /** Names the job for good. */
  readonly job: string;
  readonly fault: Fault;
  emit(event: RunEvent): void;
}

/** The sinks of a run: each epoch's rows are staged before it is committed, and published after. */
export class SinkWriters {
  private readonly host: SinkWritersHost;
  private readonly notices = new Map<string, string | undefined>();
  /** What of the last epoch was not published. */
  private readonly behind: { epoch: number; target: SinkTarget; writer: SinkWriter }[] = [];
  private readonly ended = new AbortController();
  private readonly stopping = new AbortController();
  private readonly sinks: { target: SinkTarget; writer: SinkWriter }[] = [];

  constructor(host: SinkWritersHost) {
    this.host = host;
  }

  /** Sinks that the recovery does not know begin. */
  async open(recovery: Recovery | undefined): Promise<void> {
    for (const target of this.host.plan.sinks) {
      const resume = recovery === undefined || recovery.changes.added.has(target.name) ? undefined : recovery.last;
      const writer = target.plan.open(this.context(target, resume));
      await writer.open();
      this.sinks.push({ target, writer });
      if (resume === undefined || recovery?.epochs.length === 0) continue;
      if (!(await writer.isPublished(resume))) this.behind.push({ epoch: resume, target, writer });
    }
  }

  /** An epoch is done again: sinks that have not got it get it now. */
  async settle(epoch: number): Promise<void> {
    for (const { target, writer } of this.behind.filter((each) => each.epoch === epoch)) {
      await this.stageOne(epoch, target, writer);
      await writer.publish(epoch);
    }
  }

  /** What each sink waits for. */
  progress(): Progress['sinks'] {
    return this.sinks.map(({ target: { name } }) => ({ name, notice: this.notices.get(name) }));
  }

  async stage(epoch: number): Promise<void> {
    for (const { target, writer } of this.sinks) await this.stageOne(epoch, target, writer);
  }

  async publish(epoch: number): Promise<void> {
    for (const { writer } of this.sinks) {
      await writer.publish(epoch);
      this.host.fault('published-one');
    }
  }

  /** Nothing comes, and no epoch is under way. */
  async tick(): Promise<void> {
    for (const { writer } of this.sinks) await writer.tick?.();
  }

  /** The run is asked to stop when the signal aborts. */
  stopWith(signal: AbortSignal): void {
    if (signal.aborted) this.stopping.abort();
    else signal.addEventListener('abort', () => this.stopping.abort(), { once: true });
  }

  /** The input is over. */
  async finish(): Promise<void> {
    for (const { writer } of this.sinks) await writer.finish?.();
  }

  async close(): Promise<void> {
    this.ended.abort();
    for (const { writer } of this.sinks) await writer.close();
  }

  private async stageOne(epoch: number, target: SinkTarget, writer: SinkWriter): Promise<void> {
    const operator = this.host.graph.operator(target.node);
    if (!operator.hasRows()) return writer.stage(epoch, raw('(SELECT 1 WHERE false)'), 0);
    const table = ident('delta', `sink of ${target.name}`);
    const rows = await this.host.session.run(
      target.name,
      sql`CREATE OR REPLACE TABLE ${table} AS ${sinkRows(target, operator.delta(false))}`,
    );
    return writer.stage(epoch, table, rows);
  }

  private context(target: SinkTarget, resume: number | undefined): SinkContext {
    const { session, fresh } = this.host;
    return {
      fresh,
      job: this.host.job,
      ...(resume === undefined ? {} : { resume: { epoch: resume } }),
      notice: (message) => void this.notices.set(target.name, message),
      signal: this.ended.signal,
      stopping: this.stopping.signal,
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
}

/** Rows as objects of JSON values. */
const rowObjects = (table: Table): readonly Readonly<Record<string, unknown>>[] =>
  table.rows.map((row) => Object.fromEntries(table.columns.map((column, i) => [column.name, row[i]])));
