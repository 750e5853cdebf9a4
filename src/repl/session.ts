import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StreamsqlError } from '../base/errors.ts';
import type { Declared, Engine, OpenOptions, OperatorDelta, ResultTable } from '../base/run.ts';
import { pointing } from '../cli/failure.ts';
import type { Io } from '../cli/io.ts';
import { ask, namedDatabase } from '../cli/results-database.ts';
import { statusOf } from '../exec/claim.ts';
import { reading } from '../exec/reading.ts';
import { HandControl } from '../exec/run-control.ts';
import { RunningEngine } from '../server/client.ts';
import { Job, type JobListener } from './job.ts';
import { neededFor } from './needed.ts';
import { FOUND, foundBeside, headOf, sessionFile, setZone, stateFolder } from './session-database.ts';
import { SessionScript, type Taken } from './session-script.ts';

export interface SessionOptions {
  readonly open: (options: OpenOptions) => Promise<Engine>;
  /** The path of the results database; in memory where absent: nothing is kept then. */
  readonly db?: string | undefined;
  readonly io: Io;
  readonly variables: Readonly<Record<string, string>>;
  readonly listener: JobListener;
}

/** How long one who declares something waits for the run to begin: longer, and it is said when it fails. */
const START_PATIENCE_MS = 1500;

/**
 * What a person declares, one statement after another, and the one run that keeps all of it up to date in the background.
 * The session is a file that grows: what it gains is filled in, what is dropped goes, the rest goes on where it was.
 */
export class Session {
  readonly script: SessionScript;
  private readonly options: SessionOptions;
  private readonly folder: string | undefined;
  private readonly state: string;
  /** Where the run has its results. */
  private readonly results: string;
  /** Plans what is declared, and runs nothing. */
  private readonly planner: Engine;
  private job: Job | undefined;
  /** Of each run after another. */
  private readonly control = new HandControl();
  /** Dropped since the run began: what has such a name now is another. */
  private readonly dropped = new Set<string>();
  private beginning: Promise<void> = Promise.resolve();
  private isStale = false;
  private isOurs = false;
  private zone = 'UTC';

  private constructor(options: SessionOptions, planner: Engine) {
    this.options = options;
    this.planner = planner;
    this.folder = options.db === undefined ? mkdtempSync(join(tmpdir(), 'streamsql-session-')) : undefined;
    this.state = options.db === undefined ? join(this.folder ?? '', 'state') : stateFolder(options.db);
    this.results = options.db ?? join(this.state, 'results.duckdb');
    const file = options.db === undefined ? undefined : sessionFile(options.db);
    this.script = new SessionScript(file, options.variables);
  }

  /** Goes on with what an earlier session on the same database declared. */
  static async open(options: SessionOptions): Promise<Session> {
    const { open, variables } = options;
    const { cwd } = options.io;
    const session = new Session(options, await open({ cwd, variables }));
    const known = session.script.statements.filter(({ kind }) => kind !== 'change' && kind !== 'insert');
    for (const { text } of known) await session.takeAgain(text);
    session.zone = await session.timeZone();
    // What ran to its end is there to be asked.
    session.isStale = statusOf(session.state) !== 'finished' && session.script.statements.some(({ runs }) => runs);
    return session;
  }

  /** What an earlier session took; it may not be so any more. */
  private async takeAgain(text: string): Promise<void> {
    const { db = '' } = this.options;
    await pointing({ name: basename(sessionFile(db)), text }, async () => {
      await this.planner.sql(text, 'session').catch((error: unknown) => {
        if (!(error instanceof StreamsqlError)) throw error;
        const { code, message, span, hint } = error;
        const where = `it stands in ${sessionFile(db)}, where it can be put right or left out`;
        throw new StreamsqlError(code, message, {
          span,
          hint: hint === undefined ? where : `${hint}; ${where}`,
          cause: error,
        });
      });
    });
  }

  get declared(): readonly Declared[] {
    return this.planner.declared;
  }

  get variables(): SessionOptions['variables'] {
    return this.options.variables;
  }

  warn(message: string): void {
    this.options.listener.warning(message);
  }

  /** How something was declared. */
  textOf(name: string): string {
    const found = this.script.statements.find(
      (each) => each.name === name.toLowerCase() && each.kind.startsWith('create'),
    );
    if (found === undefined) throw new StreamsqlError('CATALOG', `there is no ${name}`);
    return found.text;
  }

  get running(): Job | undefined {
    return this.job;
  }

  /** Takes a CREATE, a DROP or a SET, and answers SHOW, DESCRIBE and EXPLAIN. */
  async declare(statement: Taken): Promise<readonly ResultTable[]> {
    const { kind, name = '' } = statement;
    const creates = kind.startsWith('create');
    if (creates || kind === 'drop' || kind === 'set' || kind === 'insert') await this.own();
    // What had the name goes first, with its rows.
    if (creates && this.dropped.has(name)) await this.apply();
    const before = this.declared.length;
    const answers = await this.planner.sql(statement.text, '<input>');
    if (kind === 'set') await this.checkZone();
    const isSame = this.declared.length === before;
    if (kind === 'drop') {
      if (isSame) return [];
      const running = this.script.statements.some((each) => each.runs && each.name === name);
      this.script.drop(name);
      if (running) this.dropped.add(name);
      this.isStale ||= running;
    } else if ((creates && !isSame) || kind === 'set' || kind === 'insert') {
      this.script.add(statement);
      this.isStale ||= statement.runs || (kind === 'set' && this.job !== undefined);
    }
    return answers.map(({ table }) => table);
  }

  /** What is kept was computed in a time zone, and goes on in it. Throws UNSUPPORTED. */
  private async checkZone(): Promise<void> {
    const zone = await this.timeZone();
    if (zone !== this.zone && this.script.statements.some(({ runs }) => runs)) {
      await this.planner.sql(`SET timezone = '${this.zone}'`);
      throw new StreamsqlError('UNSUPPORTED', `what runs was declared in the time zone ${this.zone}`, {
        hint: 'SET timezone before the first view and table, or in a session on another database',
      });
    }
    this.zone = zone;
  }

  private async timeZone(): Promise<string> {
    const [answer] = await this.planner.sql('SHOW timezone');
    return String(answer?.table.rows[0]?.[0]);
  }

  /** Changes rows of a table: all of the statement or nothing of it. */
  async change(statement: Taken): Promise<void> {
    await this.own();
    await this.apply();
    this.script.add(statement);
    try {
      await this.changeNow(statement);
    } catch (error) {
      this.script.remove(statement);
      throw error;
    }
  }

  private async changeNow(statement: Taken): Promise<void> {
    const { job } = this;
    if (job?.isLive === true) {
      await job.engine.sql(statement.text, '<input>');
      return;
    }
    if (job?.state === 'failed') throw this.noRun();
    // The input has ended: as a file that gains a statement, all of it runs again.
    await this.begin(true);
    await this.job?.taken.catch(async (error: unknown) => {
      this.script.remove(statement);
      await this.begin();
      throw error;
    });
  }

  /** Whether what is written goes into a table, and not into a sink. */
  isTable(name: string | undefined): boolean {
    return this.declared.some((each) => each.kind === 'table' && each.name.toLowerCase() === name);
  }

  /** Brings the run up to date with what is declared. */
  async apply(): Promise<void> {
    if (!this.isStale) return this.beginning.catch(() => undefined);
    this.isStale = false;
    await this.begin();
  }

  /** One after another: two runs would have one database. `isTold`: whoever calls says what is wrong with what is declared. */
  private begin(isTold = false): Promise<void> {
    const before = this.beginning.catch(() => undefined);
    return (this.beginning = before.then(() => this.beginNow(isTold)));
  }

  private async beginNow(isTold: boolean): Promise<void> {
    const { open, db, variables, listener } = this.options;
    const { cwd } = this.options.io;
    // What ran to its end runs again from the beginning.
    const fresh = this.job === undefined ? statusOf(this.state) === 'finished' : this.job.state === 'finished';
    await this.job?.stop();
    this.dropped.clear();
    const engine = await open({
      ...(db !== undefined && { db }),
      state: this.state,
      cwd,
      variables,
      stem: 'session',
      ...(fresh && { fresh }),
    });
    const isMuted = (): boolean => isTold && !job.hasTaken;
    const job = new Job(engine, this.control, { ...listener, failed: (error) => isMuted() || listener.failed(error) });
    this.job = job;
    job.start(this.script.text);
    await Promise.race([job.started, sleep(START_PATIENCE_MS, undefined, { ref: false })]);
  }

  /** How a SELECT is to be answered. */
  reading(text: string): ReturnType<Engine['reading']> {
    return this.planner.reading(text);
  }

  /** The first rows, as many as are asked for at least, of a SELECT over the results as they are after the last epoch. */
  async query(sql: string, atLeast: number, signal?: AbortSignal): Promise<ResultTable> {
    await this.apply();
    const { job, results, zone } = this;
    const { io } = this.options;
    const options = { cwd: io.cwd, timeZone: zone, ...(signal !== undefined && { signal }) };
    if (job?.answers === true) return headOf(job.engine.read(sql, options), atLeast);
    if (!existsSync(results)) return headOf(this.planner.read(sql, options), atLeast);
    return ask(namedDatabase(results, io), {
      running: (engine) => headOf(engine.read(sql, options), atLeast),
      atRest: async (connection) => {
        await connection.run(setZone(zone));
        return headOf(reading(connection, sql), atLeast);
      },
    });
  }

  /** Whether another process runs on the database just now. */
  async isHeld(): Promise<boolean> {
    const { db } = this.options;
    return this.job?.answers !== true && db !== undefined && (await RunningEngine.at(db)) !== undefined;
  }

  /** What the database holds beside what is declared here. */
  async found(): Promise<readonly Declared[]> {
    const { db } = this.options;
    if (db === undefined || !existsSync(db)) return [];
    return foundBeside(await this.query(FOUND, Infinity), this.declared);
  }

  /**
   * Before anything is changed: the results of a run of a file are that run's, and those of another session are that one's while it
   * goes on. Throws STATE or LOCKED.
   */
  private async own(): Promise<void> {
    const { db } = this.options;
    if (db === undefined) return;
    this.script.check();
    if (await this.isHeld())
      throw new StreamsqlError('LOCKED', `a run holds ${db}: here it can only be asked`, {
        hint: this.script.isKept ? 'it is that of another session, in which more can be declared' : ELSEWHERE,
      });
    if (this.isOurs || this.script.isKept) return;
    if (existsSync(db)) {
      const { rows } = await this.query(`SELECT 1 FROM duckdb_schemas() WHERE schema_name = '_streamsql' LIMIT 1`, 1);
      if (rows.length > 0)
        throw new StreamsqlError('STATE', `${db} holds the results of a run of a file: here it can only be asked`, { hint: ELSEWHERE }); // prettier-ignore
    }
    this.isOurs = true;
  }

  /** An engine of its own with what a SELECT over a source needs, which is not part of what the session keeps. */
  async beside(select: string): Promise<Engine> {
    const { open, variables } = this.options;
    const { cwd } = this.options.io;
    const needed = neededFor(select, this.script.statements);
    const engine = await open({ cwd, variables });
    for (const { text } of needed) await engine.sql(text, 'session');
    return engine;
  }

  /** Leaves sources alone for now: those of a name (a source's, or of what reads it), or all. The names of these sources. */
  pause(name: string | undefined): readonly string[] {
    const sources = this.sourcesOf(name);
    this.control.pause(name === undefined ? undefined : sources);
    return sources;
  }

  async resume(name: string | undefined): Promise<readonly string[]> {
    const sources = this.sourcesOf(name);
    // All others stand still as before.
    if (name !== undefined && this.control.standsStill) this.control.pause(this.sourcesOf(undefined));
    this.control.resume(name === undefined ? undefined : sources);
    if (this.job?.state === 'failed') await this.begin();
    return sources;
  }

  isPaused(source: string): boolean {
    return this.control.isPaused(source);
  }

  private sourcesOf(name: string | undefined): readonly string[] {
    if (name === undefined) return this.declared.flatMap((each) => (each.kind === 'source' ? [each.name] : []));
    const found = this.declared.find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (found === undefined) throw new StreamsqlError('CATALOG', `there is no ${name}`);
    if (found.sources.length === 0) throw new StreamsqlError('USAGE', `${found.name} reads no source`);
    return found.sources;
  }

  /** One epoch by hand, of what comes next; everything stands still before and after it. */
  async step(signal: AbortSignal): Promise<readonly OperatorDelta[]> {
    await this.apply();
    if (this.job?.isLive !== true) throw this.noRun();
    signal.addEventListener('abort', () => this.control.giveUp(), { once: true });
    return this.control.stepOnce();
  }

  private noRun(): StreamsqlError {
    const { job } = this;
    if (job === undefined)
      return new StreamsqlError('USAGE', 'nothing runs: CREATE MATERIALIZED VIEW name AS SELECT … FROM a source');
    if (job.state === 'finished') return new StreamsqlError('USAGE', 'the input has ended: nothing runs any more');
    return new StreamsqlError('USAGE', 'the run has failed', { hint: 'RESUME starts it again where it stopped' });
  }

  async close(): Promise<void> {
    await this.beginning.catch(() => undefined);
    await this.job?.stop();
    await this.planner.close();
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

const ELSEWHERE = 'declare it in a session on another database, or add it to the file';
