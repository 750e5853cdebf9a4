import { readFileSync, writeFileSync, appendFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { StreamsqlError, withSpanAt, type SourceText } from '../base/errors.ts';
import { ident } from '../base/sql.ts';
import type { Declared, OperatorDelta, ResultTable } from '../base/run.ts';
import { pointing } from '../cli/failure.ts';
import type { Io, Output } from '../cli/io.ts';
import { counted } from '../cli/units.ts';
import { findCommand } from './commands.ts';
import { headText, showSelect, watchHeld, watchView, type Showing } from './continuous.ts';
import { jobsTable } from './jobs-table.ts';
import type { Session } from './session.ts';
import { takenOf, type Taken } from './session-script.ts';
import { defaultSettings, resultText, type ShellSettings } from './shell-settings.ts';
import { endOfStatement, skipBlank, unquoted } from './split.ts';
import { written } from './written.ts';

export interface ShellOptions {
  readonly io: Pick<Io, 'cwd' | 'env' | 'now' | 'command'>;
  readonly out: Output;
  /** Someone types; else a script is read. */
  readonly interactive: boolean;
}

/** What statements of DuckDB's the results are asked beside SELECT. */
const ASKED = /^\s*(?:SUMMARIZE|PRAGMA|CALL|DESCRIBE\s+(?:SELECT|FROM|WITH|\()|SHOW\s+(?:ALL\s+TABLES|DATABASES))\b/i;

/** Runs what is typed: statements, one at a time, and commands. Whatever it is given, the session lives on. */
export class Shell {
  readonly session: Session;
  readonly settings: ShellSettings = defaultSettings();
  /** It is to end. */
  left = false;
  private readonly options: ShellOptions;
  private foreground: AbortController | undefined;
  /** Files that are being read. */
  private readonly reading = new Set<string>();

  constructor(session: Session, options: ShellOptions) {
    this.session = session;
    this.options = options;
  }

  /** Ends what is shown just now, and not the session; whether there was something. */
  interrupt(): boolean {
    const { foreground } = this;
    foreground?.abort();
    return foreground !== undefined;
  }

  /** A line that begins with `.` or `\`. */
  async command(line: string): Promise<void> {
    const [word = ''] = line.trim().split(/\s+/, 1);
    const argument = line.trim().slice(word.length).trim().replace(/;$/, '');
    await findCommand(word).run(this, argument);
  }

  /** A statement without its semicolon. Throws with the text that the error points into. */
  async statement(text: string): Promise<void> {
    await this.part({ name: '<input>', text }, 0, text.length);
  }

  /** All of a text: statements and lines of commands. Stops at the first error. */
  async script(text: string, name = '<input>'): Promise<void> {
    for (let at = skipBlank(text, 0); at < text.length && !this.left; at = skipBlank(text, at)) {
      if (/^[.\\][a-z?]/i.test(text.slice(at, at + 2))) {
        const line = /[^\n]*/.exec(text.slice(at))?.[0] ?? '';
        await this.command(line);
        at += line.length;
        continue;
      }
      // The last statement of a file needs no semicolon.
      const end = endOfStatement(text, at) ?? text.length;
      await this.part({ name, text }, at, end);
      at = end + 1;
    }
  }

  /** The statement that stands there in a text: what is wrong with it is said with its place in the text. */
  private async part(source: SourceText, from: number, to: number): Promise<void> {
    const start = skipBlank(source.text, from);
    const text = source.text.slice(start, Math.max(start, to)).trimEnd();
    if (text === '') return;
    await pointing(source, async () => {
      try {
        await this.timed(() => this.execute(text));
      } catch (error) {
        throw withSpanAt(error, (offset) => offset + start);
      }
    });
  }

  private async execute(text: string): Promise<void> {
    const pausing =
      /^(PAUSE|RESUME)(?:\s+(?:JOB|SOURCE|VIEW|SINK|TABLE|MATERIALIZED\s+VIEW))?(?:\s+("(?:[^"]|"")+"|[^\s"]+))?$/i.exec(
        text,
      );
    if (pausing !== null)
      return this.pause(
        pausing[1]?.toUpperCase() === 'PAUSE',
        pausing[2] === undefined ? undefined : unquoted(pausing[2]),
      );
    if (/^SHOW\s+JOBS$/i.test(text)) return this.print(await jobsTable(this.session));
    if (ASKED.test(text)) return this.snapshot(text);
    const [taken] = takenOf(text, this.session.variables);
    if (taken === undefined) return;
    switch (taken.kind) {
      case 'select':
        return this.select(text);
      case 'change':
        return this.change(taken);
      case 'insert':
        return this.session.isTable(taken.name) ? this.change(taken) : this.declare(taken);
      case 'describe':
        return this.describe(taken);
      case 'explain':
        for (const table of await this.session.declare(taken)) this.write(`${String(table.rows[0]?.[0])}\n`);
        return;
      default:
        return this.declare(taken);
    }
  }

  private async change(taken: Taken): Promise<void> {
    await this.session.change(taken);
    this.said(`${taken.text.split(/\s/)[0]?.toUpperCase()} done`);
  }

  private async declare(taken: Taken): Promise<void> {
    const before = this.session.declared.map(({ name }) => name);
    const tables = await this.session.declare(taken);
    if (this.options.interactive) await this.session.apply();
    for (const table of tables) this.print(table);
    const made = this.session.declared.find(({ name }) => !before.includes(name));
    if (made !== undefined) this.said(`${made.kind} ${made.name}${taken.runs ? this.standing : ''}`);
    if (made !== undefined && this.session.running?.state === 'failed')
      this.said(`nothing runs for now: RESUME starts all of it again, and DROP ${made.name} takes it away again`);
    const isGone = taken.kind === 'drop' && this.session.declared.length < before.length;
    if (isGone) this.said(`dropped ${taken.name}`);
  }

  private get standing(): string {
    const { running: job } = this.session;
    return job?.isLive === true ? (job.state === 'starting' ? ': it starts' : ': it runs') : '';
  }

  private async describe(taken: Taken): Promise<void> {
    try {
      for (const table of await this.session.declare(taken)) this.print(table);
    } catch (error) {
      if (!(error instanceof StreamsqlError) || error.code !== 'CATALOG') throw error;
      // What is in the database and was not declared here.
      await this.snapshot(taken.text).catch(() => {
        throw error;
      });
    }
  }

  private async select(text: string): Promise<void> {
    const reading = await this.session.reading(text);
    if (!reading.continuous) return this.snapshot(reading.sql, reading.origin);
    await this.continuous(text);
  }

  private async continuous(text: string): Promise<void> {
    const engine = await this.session.beside(text);
    try {
      await this.shown((showing) => showSelect(engine, text, showing));
    } finally {
      await engine.close();
    }
  }

  /** Rows as they are after the last epoch. */
  async snapshot(sql: string, origin: (offset: number) => number = (offset) => offset): Promise<void> {
    if (!this.options.interactive) await this.settled();
    const isCut = this.options.interactive && this.settings.output === undefined;
    const rows = isCut ? this.settings.maxRows + 1 : Infinity;
    await this.interruptible(async (signal) => {
      try {
        const table = await this.session.query(sql, rows, signal);
        if (signal.aborted) return this.said('interrupted');
        this.print(table, isCut);
        if (this.session.running?.state === 'failed')
          this.said('as the run left it that has failed: RESUME starts it again');
      } catch (error) {
        if (signal.aborted) return this.said('interrupted');
        throw withSpanAt(error, origin);
      }
    });
  }

  /** `.watch NAME`: rows of a source as they come, or a view as it changes. */
  async watch(given: string): Promise<void> {
    const name = unquoted(given);
    const found = this.session.declared.find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (found === undefined) return this.watchOther(name);
    if (found.kind === 'sink')
      throw new StreamsqlError('USAGE', `${found.name} is a sink: there is nothing to see of it here`);
    if (found.kind === 'source') return this.select(allOf(found.name));
    await this.session.apply();
    if (found.kind === 'view') return this.watchPlain(found.name);
    const job = this.session.running;
    if (job?.answers !== true) return this.watchOther(name, [found]);
    await this.shown((showing) => watchView(job, found.name, showing));
  }

  /** A view that is not kept: of what is kept it is asked again and again. */
  private async watchPlain(name: string): Promise<void> {
    const { session, settings } = this;
    const reading = await session.reading(allOf(name));
    if (reading.continuous || settings.mode === 'changelog') return this.continuous(allOf(name));
    const job = session.running;
    if (job?.isLive !== true) return this.snapshot(reading.sql);
    const over = new AbortController();
    void job.ending.then(() => over.abort());
    await this.shown((showing) => {
      const ask = async (sql: string): Promise<ResultTable> => {
        const asked = await session.reading(sql);
        return session.query(asked.continuous ? sql : asked.sql, settings.maxRows + 1, unlessAborted(showing.signal));
      };
      return watchHeld(ask, name, { ...showing, signal: AbortSignal.any([showing.signal, over.signal]) });
    });
  }

  /** What is in the database and was not declared here, or is kept by another: it changes where another process runs on it. */
  private async watchOther(name: string, known: readonly Declared[] = []): Promise<void> {
    const { session } = this;
    const all = [...known, ...(await session.found())];
    const other = all.find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (other === undefined)
      throw new StreamsqlError('CATALOG', `there is no ${name}`, { hint: '.tables lists what there is' });
    if (!(await session.isHeld())) return this.snapshot(allOf(other.name));
    if (this.settings.mode === 'changelog')
      throw new StreamsqlError('UNSUPPORTED', 'the changes of a run in another process are not to be had', { hint: '.mode table shows it in place' }); // prettier-ignore
    await this.shown((showing) =>
      watchHeld(
        (sql) => session.query(sql, this.settings.maxRows + 1, unlessAborted(showing.signal)),
        other.name,
        showing,
      ),
    );
  }

  /** `.tables` */
  async tables(): Promise<void> {
    const all = [...this.session.declared, ...(await this.session.found())];
    const columns = ['name', 'kind'].map((name) => ({ name, type: 'VARCHAR' }));
    this.print({ columns, rows: all.map(({ name, kind }) => [name, kind]) });
  }

  /** `.step`: one epoch by hand, and what each operator gave in it. */
  async step(): Promise<void> {
    await this.interruptible(async (signal) => {
      const deltas = await this.session.step(signal);
      if (deltas.length === 0) return this.said('no epoch: nothing came; all stands still, RESUME goes on');
      this.write(deltas.map((delta) => this.deltaText(delta)).join('\n'));
      this.said('all stands still: .step again, or RESUME');
    });
  }

  private deltaText({ operator, title, rows, table }: OperatorDelta): string {
    const head = `${operator}: ${title}: ${counted(rows, 'row')}\n`;
    if (rows === 0) return head;
    return `${head}${resultText(table, this.settings, this.sink)}`;
  }

  private async pause(isPause: boolean, name: string | undefined): Promise<void> {
    const sources = isPause ? this.session.pause(name) : await this.session.resume(name);
    const others = this.session.declared.filter(
      ({ kind, sources: read, name: own }) =>
        kind !== 'source' && own.toLowerCase() !== name?.toLowerCase() && read.some((each) => sources.includes(each)),
    );
    const what = name === undefined ? 'all' : `the source${sources.length === 1 ? '' : 's'} ${sources.join(', ')}`;
    const wait =
      name === undefined || others.length === 0 ? '' : `; ${others.map(({ name: other }) => other).join(', ')} too`;
    this.said(`${isPause ? 'paused' : 'resumed'}: ${what}${wait}`);
  }

  /** Waits, in a script, until all is read that there was; a stream that goes on is taken as it is then. */
  async settled(): Promise<void> {
    await this.session.apply();
    const job = this.session.running;
    if (job === undefined) return;
    await this.interruptible(async (signal) => {
      await new Promise<void>((done) => {
        const goals = new Map<string, number>();
        const isPaused = (source: string): boolean => this.session.isPaused(source);
        const said = new Set<string>();
        const check = (): void => {
          for (const { name, notice } of job.progress?.sources ?? []) {
            if (notice === undefined || said.has(name)) continue;
            said.add(name);
            this.session.warn(`source ${name}: ${notice}`);
          }
          if (!signal.aborted && !job.caughtUp(goals, isPaused)) return;
          stop();
          done();
        };
        const stop = job.onChange(check);
        signal.addEventListener('abort', check, { once: true });
        check();
      });
    });
    if (job.state === 'failed') throw job.error;
  }

  private shown(show: (showing: Showing) => Promise<void>): Promise<void> {
    const { io } = this.options;
    return this.interruptible((signal) =>
      show({ output: this.sink, env: io.env, now: () => io.now(), settings: this.settings, signal }),
    );
  }

  private async interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const controller = (this.foreground = new AbortController());
    try {
      await work(controller.signal);
    } finally {
      this.foreground = undefined;
    }
  }

  private async timed(work: () => void | Promise<void>): Promise<void> {
    const started = this.options.io.now();
    await work();
    if (this.settings.timer) this.write(`time: ${((this.options.io.now() - started) / 1000).toFixed(3)} s\n`);
  }

  print(table: ResultTable, isCut = false): void {
    const { settings, sink } = this;
    this.write(isCut ? headText(table, settings, sink) : resultText(table, settings, sink));
  }

  /** Results: into the file of `.output`, where one is set. */
  write(text: string): void {
    this.sink.write(text);
  }

  /** What is said to the person who types, and not to a script. */
  said(text: string): void {
    if (this.options.interactive) this.options.out.write(`${text}\n`);
  }

  private get sink(): Output {
    const { output } = this.settings;
    if (output === undefined) return this.options.out;
    return {
      write: (text) => written(output, () => appendFileSync(output, text)),
      isTTY: false,
      columns: 80,
    };
  }

  /** `.output FILE`: a new file. */
  outputInto(file: string | undefined): void {
    const path = file === undefined ? undefined : resolve(this.options.io.cwd, file);
    if (path !== undefined) written(path, () => writeFileSync(path, ''));
    this.settings.output = path;
  }

  async readFile(file: string): Promise<void> {
    const path = resolve(this.options.io.cwd, file);
    let text: string;
    try {
      text = readFileSync(path, 'utf8').replace(/^\ufeff/, '');
    } catch (error) {
      throw new StreamsqlError('FILE_MISSING', `${file} cannot be read`, { cause: error });
    }
    if (this.reading.has(path)) throw new StreamsqlError('USAGE', `${file} reads itself`);
    this.reading.add(path);
    try {
      await this.script(text, file);
    } finally {
      this.reading.delete(path);
    }
  }

  saveAs(file: string): void {
    const path = resolve(this.options.io.cwd, file);
    written(path, () => writeFileSync(path, this.session.script.text));
  }
}

/** What is shown last is asked when all else has ended. */
const unlessAborted = (signal: AbortSignal): AbortSignal | undefined => (signal.aborted ? undefined : signal);

const allOf = (name: string): string => `SELECT * FROM ${ident(name).text}`;
