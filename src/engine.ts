import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { ScratchPool, SinkConnector, SourceConnector, SourceContext, SourceReader } from './base/connector.ts';
import { StreamsqlError } from './base/errors.ts';
import type {
  Declared, Engine, ExplainOptions, OpenOptions, ReadOptions, ReadPart, Reading, ResultTable, RunEvent, RunOptions, RunSummary,
} from './base/run.ts'; // prettier-ignore
import type { EngineStatus } from './base/status.ts';
import { noFault, type Fault } from './base/fault.ts';
import { ident, literal, raw, sql } from './base/sql.ts';
import { sinks, sources } from './connectors/registry.ts';
import { realDisk, type Disk } from './exec/checkpoint/disk.ts';
import { finishResults } from './exec/claim-results.ts';
import { finishState } from './exec/claim.ts';
import { backfill } from './exec/backfill.ts';
import { ChangeQueue } from './exec/change-queue.ts';
import { Duck, type DuckConnection } from './exec/duck.ts';
import { StatusDesk } from './exec/engine-status.ts';
import { explainPlan, explainText } from './exec/explain.ts';
import { Graph } from './exec/graph.ts';
import { Intake } from './exec/intake/intake.ts';
import { databaseOf, Job } from './exec/job.ts';
import { Readers } from './exec/readers.ts';
import { asExecutionError, openError, redacted } from './exec/run-errors.ts';
import { resumeWarnings, startEvent } from './exec/run-messages.ts';
import { Runtime, type RuntimeHost } from './exec/runtime.ts';
import { queryError } from './exec/query-error.ts';
import { openScratch } from './exec/scratch.ts';
import { Session } from './exec/session.ts';
import { Settings } from './exec/settings.ts';
import { openSqlService } from './exec/sql-service.ts';
import { Tables } from './exec/tables.ts';
import { parseScript } from './parser/parse.ts';
import type { Script } from './parser/statements.ts';
import type { SourceNode } from './planner/plan-sources.ts';
import type { Plan } from './planner/plan.ts';
import { identify } from './planner/fingerprint.ts';
import { keylessWarnings } from './planner/keyless.ts';
import { retainWarnings } from './planner/retain.ts';
import { Planner, type Answer } from './planner/planner.ts';
import { declaredOf, describeAnswer, showAnswer } from './planner/show.ts';

export type {
  Engine, ExplainOptions, OpenOptions, ReadOptions, ReadPart, ResultTable, RunEvent, RunOptions, RunSummary,
} from './base/run.ts'; // prettier-ignore
export type { EngineStatus } from './base/status.ts';
export { StreamsqlError, renderError } from './base/errors.ts';
export type { ErrorCode, Span } from './base/errors.ts';

/** What a host other than the command line hands in: rows from elsewhere, a clock of its own. */
export interface EngineHost {
  /** Every source is asked for each epoch, also one whose event times are ahead of the others'. */
  readonly pollAll?: boolean;
  /** The connector that `connector = 'name'` means here, in place of the one that comes with streamsql, if any does. */
  source?(name: string, builtIn: SourceConnector | undefined): SourceConnector | undefined;
  /** The same of sinks. */
  readonly sink?: (name: string, builtIn: SinkConnector | undefined) => SinkConnector | undefined;
  /** A reader in place of the connector's own. */
  readonly openReader?: (source: SourceNode, context: SourceContext) => SourceReader | undefined;
  readonly now?: () => number;
  /** Called at the steps between which a process may end; see fault.ts. */
  readonly fault?: Fault;
  /** The disk of the state folder, in place of the real one. */
  readonly disk?: Disk;
  /** The rows of a state table above which checkpoints write what changed of it, and not the whole. */
  readonly journalFrom?: number;
}

/**
 * Opens an engine. It holds its database until `close`.
 *
 * @example
 * const engine = await open({ db: 'out.duckdb' });
 * await engine.sql(`
 *   CREATE SOURCE ticks (i AS n) WITH (connector = 'generator', rows = 100);
 *   CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(i) AS s FROM ticks;
 * `);
 * await engine.run();
 * console.log(await engine.query('SELECT * FROM total')); // n 100, s 4950
 * await engine.close();
 */
export async function open(options: OpenOptions = {}, host: EngineHost = {}): Promise<Engine> {
  const threads = options.threads ?? availableParallelism();
  const duck = await Duck.open(':memory:', { threads: String(threads) });
  const connect = async (): Promise<DuckConnection> => {
    const connection = await duck.connect();
    await connection.run(sql`SET TimeZone = 'UTC'`);
    await connection.run(sql`SET lambda_syntax = 'DEFAULT'`);
    if (options.cwd !== undefined) await connection.run(sql`SET file_search_path = ${resolve(options.cwd)}`);
    return connection;
  };
  const connection = await connect();
  for (const schema of ['delta', 'state', 'static']) await connection.run(sql`CREATE SCHEMA ${ident(schema)}`);
  if (options.memoryLimit !== undefined) await connection.run(sql`SET memory_limit = ${options.memoryLimit}`);
  const service = await openSqlService(await connect());
  const tables = await Tables.open(await connect());
  const planner = new Planner({
    service,
    tables,
    connectors: {
      source: (name) => {
        const builtIn = sources.find((source) => source.name === name);
        return host.source === undefined ? builtIn : host.source(name, builtIn);
      },
      sink: (name) => {
        const builtIn = sinks.find((sink) => sink.name === name);
        return host.sink === undefined ? builtIn : host.sink(name, builtIn);
      },
      sourceNames: sources.map((source) => source.name),
      sinkNames: sinks.map((sink) => sink.name),
    },
    cwd: resolve(options.cwd ?? '.'),
    stem: options.stem ?? 'query',
    stdinIsSql: options.stdinIsSql === true,
  });
  return new StreamEngine({ options, host, duck, connection, connect, planner, tables, threads });
}

interface Parts {
  readonly options: OpenOptions;
  readonly host: EngineHost;
  readonly duck: Duck;
  readonly connection: DuckConnection;
  readonly connect: () => Promise<DuckConnection>;
  readonly planner: Planner;
  readonly tables: Tables;
  readonly threads: number;
}

class StreamEngine implements Engine {
  private readonly parts: Parts;
  private readonly session: Session;
  private readonly settings: Settings;
  private results: Promise<DuckConnection> | undefined;
  private scratch: ScratchPool | undefined;
  private ran: { graph: Graph; plan: Plan } | undefined;
  private started = false;
  private fileGrows = false;
  private readonly changes = new ChangeQueue();
  private readonly readers: Readers;
  private readonly desk: StatusDesk;

  constructor(parts: Parts) {
    this.parts = parts;
    this.session = new Session(parts.connection, parts.host.journalFrom);
    this.settings = new Settings(parts.options, parts.connection, parts.tables);
    const { connect } = parts;
    this.readers = new Readers(connect);
    this.desk = new StatusDesk({ db: databaseOf(parts.options), now: parts.host.now ?? Date.now, connect });
  }

  async sql(text: string, name = 'sql'): Promise<readonly { sql: string; table: ResultTable }[]> {
    const script = this.parse(text, name);
    const answers: { sql: string; table: ResultTable }[] = [];
    if (this.started) return this.change(script);
    try {
      await this.parts.planner.script(script, async (answer) => {
        const written = text.slice(answer.statement.span.start, answer.statement.span.end);
        const table = await this.answer(answer);
        if (table !== undefined) answers.push({ sql: written, table });
      });
    } catch (error) {
      throw redacted(error, script);
    }
    return answers;
  }

  private parse(text: string, name: string): Script {
    const variables = this.parts.options.variables ?? {};
    return parseScript(text, name, (variable) => {
      const given = Object.hasOwn(variables, variable) ? variables[variable] : undefined;
      if (given !== undefined) return { value: given, secret: false };
      const value = process.env[variable];
      return value === undefined ? undefined : { value, secret: true };
    });
  }

  /** Changes of tables while the engine runs. */
  private async change(script: Script): Promise<readonly []> {
    try {
      await this.changes.add(this.parts.planner.changes(script), this.fileGrows);
      return [];
    } catch (error) {
      throw redacted(this.parts.planner.changeError(error), script);
    }
  }

  private async answer(answer: Answer): Promise<ResultTable | undefined> {
    switch (answer.kind) {
      case 'show':
        return showAnswer(this.parts.planner, answer.statement, (name) => this.settings.show(name));
      case 'describe':
        return describeAnswer(this.parts.planner, answer.statement);
      case 'set':
        await this.settings.set(
          answer.statement.name.text,
          answer.statement.value,
          answer.statement.span,
          answer.statement.valueSpan,
        );
        return undefined;
      case 'explain': {
        const rendered = await this.explainPlan(answer.plan, answer.statement.format, answer.statement.analyze);
        return { columns: [{ name: 'plan', type: 'VARCHAR' }], rows: [[rendered]] };
      }
    }
  }

  private async connectInZone(): Promise<DuckConnection> {
    const connection = await this.parts.connect();
    await this.settings.applyZone(connection);
    return connection;
  }

  async run(options: RunOptions = {}): Promise<RunSummary> {
    if (this.started) throw new StreamsqlError('USAGE', 'an engine runs once; open another');
    this.started = true;
    this.fileGrows = options.fileGrows === true;
    const plan = this.parts.planner.plan();
    const emit = (event: RunEvent): void => {
      this.desk.event(event);
      options.onEvent?.(event);
    };
    if (plan.views.length === 0 && plan.sinks.length === 0 && plan.tables.length === 0 && options.keepOpen !== true) {
      throw new StreamsqlError('UNSUPPORTED', 'there is nothing to run: no materialized view and no sink', {
        hint: 'CREATE MATERIALIZED VIEW name AS SELECT … FROM a source',
      });
    }
    const graph = new Graph(this.session, plan);
    this.ran = { graph, plan };
    this.scratch = openScratch();
    const { options: given, host, threads, tables } = this.parts;
    const identity = identify(plan, this.settings.timeZone);
    const fault = host.fault ?? noFault;
    const disk = host.disk ?? realDisk;
    const intake = new Intake(fault, (message) => emit({ event: 'warning', message }));
    let runtime: Runtime | undefined;
    const ready = this.readers.hold();
    this.desk.phase = 'starting';
    try {
      const job = await Job.find({
        options: { ...given, checkpointIntervalMs: this.settings.checkpointIntervalMs },
        plan,
        identity,
        fault,
        emit,
        connection: this.parts.connection,
        disk,
        attach: (db) => this.openResults(db),
        connect: () => this.connectInZone(),
        intake,
      });
      const { recovery } = job;
      const runtimeHost: RuntimeHost = {
        plan, identity, graph, tables, fault, emit, session: this.session, decodeConnection: await this.connectInZone(),
        changes: this.changes, keepOpen: options.keepOpen === true, scratch: this.scratch, parallelism: threads, intake,
        fresh: given.fresh === true, job: job.name, versions: job.versions, onGap: given.onGap ?? 'stop',
        batchIntervalMs: this.settings.batchIntervalMs, maxBatchRows: this.settings.maxBatchRows,
        now: host.now ?? Date.now, pollAll: host.pollAll === true, control: options.control,
        ...(host.openReader === undefined ? {} : { openReader: host.openReader }),
      }; // prettier-ignore
      runtime = new Runtime(runtimeHost);
      // What an earlier run left is touched only when all that this one reads is there.
      if (recovery === undefined) await runtime.openInput(recovery);
      const output = await job.open(graph);
      const backfilled =
        recovery === undefined ? undefined : await backfill(runtimeHost, recovery, output.results, given.state ?? '');
      if (recovery !== undefined) await runtime.openInput(recovery);
      await runtime.openOutput(output, recovery, options.signal);
      this.desk.begin({
        plan, graph, runtime,
        isPaused: (source) => options.control?.isPaused(source) === true,
        stored: (node) => output.checkpoints?.held.find(({ key }) => key === identity.keys.get(node)),
      }); // prettier-ignore
      emit(startEvent(plan, output.db, given.state));
      for (const message of [
        ...keylessWarnings(plan),
        ...retainWarnings(plan, output.checkpoints !== undefined),
        ...(recovery === undefined ? [] : resumeWarnings(plan, recovery)),
      ])
        emit({ event: 'warning', message });
      if (recovery !== undefined && given.state !== undefined) await runtime.recover(recovery, given.state, backfilled);
      this.desk.phase = 'running';
      ready();
      const { interrupted } = await runtime.run(options);
      this.desk.phase = 'ending';
      this.changes.close(new StreamsqlError('USAGE', 'the run is over: no table changes any more'));
      const summary = await runtime.summary(interrupted);
      const status = interrupted ? 'stopped' : 'finished';
      await this.readers.without(() => finishResults(output.connection, status));
      if (given.state !== undefined) await finishState(disk, given.state, status);
      for (const select of plan.closing) {
        emit({ event: 'result', sql: select.text, table: await this.query(select.sql) });
      }
      emit({ event: 'done', ...summary });
      return summary;
    } catch (error) {
      const failure = asExecutionError(error, databaseOf(given));
      this.changes.close(failure);
      throw failure;
    } finally {
      ready();
      this.desk.phase = 'idle';
      await runtime?.close();
    }
  }

  /** Once, whoever asks first: the run, or a reader. */
  private openResults(db: string): Promise<DuckConnection> {
    this.results ??= this.attachResults(db).catch((error: unknown) => {
      this.results = undefined;
      throw openError(db, error);
    });
    return this.results;
  }

  private async attachResults(db: string): Promise<DuckConnection> {
    await this.parts.connection.run(sql`ATTACH ${literal(db)} AS res`);
    return this.parts.connect();
  }

  async query(select: string): Promise<ResultTable> {
    await this.openResults(databaseOf(this.parts.options));
    const reader = await this.connectInZone();
    try {
      await reader.run(sql`USE res`);
      await reader.run(sql`SET errors_as_json = true`);
      return await reader.table(raw(select));
    } catch (error) {
      throw queryError(error, select);
    } finally {
      reader.close();
    }
  }

  async *read(text: string, options: ReadOptions = {}): AsyncGenerator<ReadPart> {
    await this.openResults(databaseOf(this.parts.options));
    yield* this.readers.read(text, options);
  }

  async status(): Promise<EngineStatus> {
    return this.desk.status();
  }

  async reading(text: string): Promise<Reading> {
    const script = this.parse(text, 'sql');
    const [select] = script.statements;
    if (select?.kind !== 'select') throw new StreamsqlError('USAGE', 'this is no SELECT', { span: select?.span });
    try {
      if (await this.parts.planner.isContinuous(select)) return { continuous: true };
    } catch (error) {
      throw redacted(error, script);
    }
    const { sql: mapped } = select.query;
    return { continuous: false, sql: mapped.text, origin: (offset) => mapped.origin(offset) };
  }

  get declared(): readonly Declared[] {
    return declaredOf(this.parts.planner);
  }

  async explain(options: ExplainOptions = {}): Promise<string> {
    if (options.analyze === true && !this.started) await this.run();
    return this.explainPlan(
      this.ran?.plan ?? this.parts.planner.plan(),
      options.format ?? 'text',
      options.analyze === true,
    );
  }

  private async explainPlan(plan: Plan, format: 'text' | 'json', analyze: boolean): Promise<string> {
    if (analyze && this.ran === undefined) {
      throw new StreamsqlError(
        'UNSUPPORTED',
        'EXPLAIN ANALYZE runs the whole file: use streamsql explain FILE --analyze',
      );
    }
    const graph = this.ran?.graph ?? new Graph(this.session, plan);
    const targets = explainPlan(plan, graph, analyze ? this.session : undefined);
    return format === 'json' ? JSON.stringify(targets, null, 2) : explainText(targets);
  }

  async close(): Promise<void> {
    this.scratch?.close();
    await this.readers.close();
    this.parts.duck.close();
  }
}
