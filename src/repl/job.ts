import type { Engine, Progress, ResultTable, RunEvent, RunSummary } from '../base/run.ts';
import { AskedRun } from '../cli/asked-run.ts';
import { pointing } from '../cli/failure.ts';
import type { HandControl } from '../exec/run-control.ts';

/** What is told of a run in the background, as it happens. */
export interface JobListener {
  /** Rows of a print sink. */
  rows(sink: string, table: ResultTable): void;
  warning(message: string): void;
  failed(error: unknown): void;
  /** Its input has ended. */
  finished(summary: RunSummary): void;
}

export type JobState = 'starting' | 'running' | 'finished' | 'stopped' | 'failed';

/** A run in the background: all that the session has declared, over one engine. */
export class Job {
  readonly engine: Engine;
  readonly control: HandControl;
  state: JobState = 'starting';
  progress: Progress | undefined;
  error: unknown;
  private readonly stopping = new AbortController();
  private readonly listener: JobListener;
  private readonly asked: AskedRun;
  private readonly epochs = new Set<() => void>();
  /** It has the results database. */
  private isHolding = false;
  private isClosed = false;
  private bounded = false;
  /** Sources that end. */
  private readonly finite = new Set<string>();
  /** It has taken what is declared, and what changes tables. */
  hasTaken = false;
  /** About a second lies between two. */
  private looks = 0;
  private begun: () => void = () => undefined;
  /** Resolves when the results can be asked, or the run has ended. */
  readonly started = new Promise<void>((resolve) => (this.begun = resolve));
  private over: Promise<void> = Promise.resolve();
  private taking: Promise<void> = Promise.resolve();

  constructor(engine: Engine, control: HandControl, listener: JobListener) {
    this.engine = engine;
    this.control = control;
    this.listener = listener;
    this.asked = new AskedRun(engine, (event) => this.event(event));
  }

  /** Runs what a text declares. */
  start(text: string): void {
    this.over = this.run(text).then(
      (summary) => this.ended(summary),
      (error: unknown) => this.broken(error),
    );
  }

  private async run(text: string): Promise<RunSummary> {
    const { control, stopping } = this;
    this.taking = pointing({ name: 'session', text }, async () => void (await this.engine.sql(text, 'session')));
    await this.taking;
    this.hasTaken = true;
    return this.engine.run({
      signal: stopping.signal,
      control,
      keepOpen: true,
      fileGrows: true,
      onEvent: (event) => this.event(event),
    });
  }

  private ended(summary: RunSummary): void {
    this.state = summary.interrupted ? 'stopped' : 'finished';
    this.leave();
    if (!summary.interrupted) this.listener.finished(summary);
  }

  private async broken(error: unknown): Promise<void> {
    this.state = 'failed';
    this.error = error;
    // What it has not taken is there for others.
    if (!this.isHolding) await this.close();
    this.leave();
    this.listener.failed(error);
  }

  private leave(): void {
    this.begun();
    this.control.stepped([]);
    this.tell();
  }

  private event(event: RunEvent): void {
    this.asked.event(event);
    switch (event.event) {
      case 'start':
        this.isHolding = true;
        this.bounded = event.bounded && event.sources.length > 0;
        for (const { name, bounded } of event.sources) if (bounded) this.finite.add(name);
        break;
      case 'epoch':
      case 'progress':
        this.progress = event;
        if (this.state === 'starting') this.state = 'running';
        this.begun();
        if (event.event === 'progress') this.looks++;
        this.tell();
        break;
      case 'rows':
        this.listener.rows(event.sink, event.table);
        break;
      case 'warning':
        this.listener.warning(event.message);
        break;
    }
  }

  private tell(): void {
    for (const told of this.epochs) told();
  }

  /** Whether it can be asked: it has the results, or is about to. */
  get answers(): boolean {
    return !this.isClosed && (this.isHolding || this.isLive);
  }

  get isLive(): boolean {
    return this.state === 'starting' || this.state === 'running';
  }

  /** Calls back after each epoch and at the end; returns how to stop that. */
  onChange(told: () => void): () => void {
    this.epochs.add(told);
    return () => this.epochs.delete(told);
  }

  /**
   * Whether all is in the results that there was when it was first asked, which `goals` keeps by source, but for sources that are paused;
   * of input that ends, whether it has ended.
   */
  caughtUp(goals: Map<string, number>, isPaused: (source: string) => boolean): boolean {
    if (!this.isLive) return true;
    const { progress } = this;
    if (progress === undefined) return false;
    const open = progress.sources.filter(({ name }) => !isPaused(name));
    if (this.bounded && open.length > 0) return false;
    for (const { name, total } of open) if (total !== undefined && !goals.has(name)) goals.set(name, total);
    return open.every(({ name, committed, total, rows, notice }) => {
      // Of what has no end that is known there is always more, or nothing yet: it is taken as it is.
      if (total === undefined && !this.finite.has(name)) return (rows > 0 || this.looks > 1) && notice === undefined;
      return committed >= (goals.get(name) ?? Infinity);
    });
  }

  /** Resolves when it has taken what the text declares and changes; rejects with what is wrong with it. */
  get taken(): Promise<void> {
    return this.taking;
  }

  /** Resolves when it has ended. */
  get ending(): Promise<void> {
    return this.over;
  }

  /** Ends it in good order; it can go on from there. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.over;
    await this.close();
  }

  private async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.asked.close();
    await this.engine.close();
  }
}
