import type { RunEvent } from '../base/run.ts';
import { checkpointText, resumedText } from './checkpoint-text.ts';
import { formatTable } from './format.ts';
import type { Io } from './io.ts';
import { jsonLines } from './json-events.ts';
import { LiveLine } from './live-line.ts';
import { LogLines } from './log-lines.ts';
import { printable, printableLines } from './printable.ts';
import { statusLine } from './status-line.ts';
import { StreamTables } from './stream-table.ts';
import { canRedraw, styleFor, type Style } from './style.ts';
import { summaryText } from './summary.ts';

export interface DisplayOptions {
  readonly json: boolean;
  /** quiet: only results and errors. verbose: every epoch. */
  readonly level: 'quiet' | 'normal' | 'verbose';
  /** What is run, as the user named it. */
  readonly title: string;
}

type Start = Extract<RunEvent, { event: 'start' }>;

/** Shows a run: results on standard output, all else on standard error. `event` in the order in which they happen. */
export class RunDisplay {
  private readonly io: Io;
  private readonly options: DisplayOptions;
  private readonly style: Style;
  private readonly line: LiveLine | undefined;
  private readonly log: LogLines | undefined;
  private readonly streams = new StreamTables();
  private start: Start | undefined;
  private checkpointAt: number | undefined;

  constructor(io: Io, options: DisplayOptions) {
    this.io = io;
    this.options = options;
    this.style = styleFor(io.stderr, io.env);
    const live = canRedraw(io.stderr, io.env) && options.level !== 'quiet';
    this.line = live ? new LiveLine(io.stderr, () => io.now()) : undefined;
    // Beside JSON lines a log would only say the same again.
    const logs = options.level === 'verbose' || (options.level === 'normal' && !live && !options.json);
    this.log = logs ? new LogLines(options.level === 'verbose', () => io.now()) : undefined;
  }

  event(event: RunEvent): void {
    if (event.event === 'start') this.start = event;
    if (this.options.json) this.out(jsonLines(event).join(''));
    else this.results(event);
    this.progress(event);
  }

  /** A message for people, such as that a stop was asked for. */
  note(message: string): void {
    if (this.options.level !== 'quiet') this.err(`${printable(message)}\n`);
  }

  /** Leaves the terminal as it was found; more may follow. */
  close(): void {
    this.line?.clear();
  }

  /** Whether what happens is told to people, beside results, warnings and errors. */
  private get speaks(): boolean {
    return this.log !== undefined || this.line !== undefined;
  }

  private results(event: RunEvent): void {
    if (event.event === 'rows') this.out(this.streams.text(event.sink, event.table));
    if (event.event === 'result') {
      const heading = styleFor(this.io.stdout, this.io.env).bold(printableLines(event.sql));
      this.out(`${heading}\n${formatTable(event.table, 'table', this.io.stdout)}\n`);
    }
  }

  private progress(event: RunEvent): void {
    const { start } = this;
    if (event.event === 'warning') {
      if (this.options.level !== 'quiet') {
        this.err(`${this.style.yellow('warning')}: ${printableLines(event.message)}\n`);
      }
    } else if (event.event === 'done') {
      this.close();
      if (start !== undefined && this.speaks) {
        const { cwd, command } = this.io;
        this.err(summaryText(event, { db: start.db, cwd, command, style: this.style }));
      }
    } else if (event.event === 'epoch' || event.event === 'progress') {
      if (start === undefined) return;
      const logged = this.log?.progress(start, event);
      if (logged !== undefined) this.err(logged);
      const { checkpointAt: at } = this;
      const age = at === undefined ? undefined : (this.io.now() - at) / 1000;
      this.line?.draw((columns) => statusLine(start, event, columns, age));
    } else if (event.event === 'resumed') {
      if (this.speaks) this.err(resumedText(event));
    } else if (event.event === 'checkpoint') {
      this.checkpointAt = this.io.now();
      if (this.options.level === 'verbose') this.err(checkpointText(event));
    } else if (event.event === 'start') {
      const logged = this.log?.start(event, this.options.title);
      if (logged !== undefined) this.err(logged);
    }
  }

  private out(text: string): void {
    if (text === '') return;
    if (this.io.stdout.isTTY) this.line?.clear();
    this.io.stdout.write(text);
  }

  private err(text: string): void {
    this.line?.clear();
    this.io.stderr.write(text);
  }
}
