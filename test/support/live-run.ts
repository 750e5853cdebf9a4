import type { Engine, RunEvent, RunSummary } from '../../src/engine.ts';

type Told = Extract<RunEvent, { event: 'epoch' | 'progress' }>;

/** A run that goes on until it is stopped, watched from the first epoch on. */
export class LiveRun {
  readonly warnings: string[] = [];
  ended: Promise<RunSummary>;
  private readonly engine: Engine;
  private readonly stopping = new AbortController();
  private last: Told | undefined;
  private listeners: (() => void)[] = [];

  constructor(engine: Engine, sql: string) {
    this.engine = engine;
    this.ended = engine.sql(sql).then(() =>
      engine.run({ signal: this.stopping.signal, onEvent: (event) => this.hear(event) }),
    );
    this.ended.catch(() => this.tell());
  } // prettier-ignore

  /** The first epoch is done: all sources are open. */
  begun(): Promise<void> {
    return this.until(() => this.last !== undefined);
  }

  /** So many records of a source are in the results. */
  read(source: string, rows: number): Promise<void> {
    return this.until(() => (this.progressOf(source)?.rows ?? 0) >= rows);
  }

  noticeOf(source: string): string {
    return this.progressOf(source)?.notice ?? '';
  }

  progressOf(source: string): Told['sources'][number] | undefined {
    return this.last?.sources.find(({ name }) => name === source);
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      const told = new Promise<void>((resolve) => this.listeners.push(resolve));
      await Promise.race([told, this.ended.then(() => Promise.reject(new Error('the run has ended')))]);
    }
  }

  stop(): Promise<RunSummary> {
    this.stopping.abort();
    return this.ended;
  }

  async rows(sql: string): Promise<readonly (readonly unknown[])[]> {
    return (await this.engine.query(sql)).rows;
  }

  close(): Promise<void> {
    return this.engine.close();
  }

  private hear(event: RunEvent): void {
    if (event.event === 'warning') this.warnings.push(event.message);
    if (event.event !== 'epoch' && event.event !== 'progress') return;
    this.last = event;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners.splice(0)) listener();
  }
}
