import type { RunEvent } from '../../src/base/run.ts';
import { open, type Engine, type EngineHost, type OpenOptions, type ResultTable } from '../../src/engine.ts';
import type { SourceText } from '../../src/base/errors.ts';
import { sameName } from '../../src/base/schema.ts';
import { isFed, standIn, type Feeding } from '../../src/testing/feed-connector.ts';
import type { Delivery } from '../../src/testing/slicing.ts';
import { FedReader, OwnReader, type SimulatedReader } from './fed-reader.ts';
import { recording } from './recording-sink.ts';
import type { World } from './world.ts';

/** What all lives of a run have in common. */
export interface Subject {
  readonly texts: readonly SourceText[];
  readonly feeding: Feeding;
  readonly records: readonly Delivery[];
  readonly options: OpenOptions;
}

/** What one life does its own way. */
export interface Habits {
  /** ms; 0: a checkpoint after each epoch. */
  readonly checkpointIntervalMs: number;
  readonly keepCheckpoints: number;
  readonly journalFrom: number;
  readonly sinksKnow: boolean;
}

/** One process, from its start to its end, whichever way that comes. */
export class Life {
  /** The last epoch that is committed, as far as this life knows. */
  epoch = -1;
  readonly warnings: string[] = [];
  /** How the run ended, if it did and was not a crash. */
  error: unknown;
  over = false;
  private readonly world: World;
  private readonly engine: Engine;
  private readonly readers: { name: string; reader: SimulatedReader }[];
  private readonly abort = new AbortController();
  private readonly running: Promise<void>;
  private readonly begun: Promise<void>;
  private committed: () => void = () => undefined;
  private begins: () => void = () => undefined;
  /** A checkpoint is being written. */
  private writing = false;

  private constructor(world: World, engine: Engine, readers: { name: string; reader: SimulatedReader }[]) {
    this.world = world;
    this.engine = engine;
    this.readers = readers;
    this.begun = new Promise((resolve) => (this.begins = resolve));
    this.running = engine.run({ signal: this.abort.signal, keepOpen: true, onEvent: (event) => this.heard(event) }).then(
      () => void (this.over = true),
      (error: unknown) => {
        this.error = error;
      },
    ); // prettier-ignore
  }

  static async start(world: World, { texts, feeding, records, options }: Subject, habits: Habits, now: () => number): Promise<Life> {
    const readers: { name: string; reader: SimulatedReader }[] = [];
    const host: EngineHost = {
      pollAll: true, now, disk: world.disk, journalFrom: habits.journalFrom,
      fault: (point) => {
        world.fault(point);
        if (point === 'checkpoint-pinned') life?.pinned();
      },
      source: (name, real) => standIn(name, real, feeding),
      sink: (_, real) => real && recording(real, { record: world.sinks, knows: habits.sinksKnow, fault: (point) => world.fault(point) }),
      openReader: (source, context) => {
        const { name } = source;
        const own = records.filter((record) => sameName(record.source.text, name));
        const fed = isFed(feeding, name, source.connector);
        const reader = fed ? new FedReader({ name, columns: source.physical, records: own }, context) : new OwnReader(source.plan.open(context), context);
        readers.push({ name, reader });
        return reader;
      },
    }; // prettier-ignore
    const { checkpointIntervalMs, keepCheckpoints } = habits;
    const engine = await open({ ...options, db: world.db, state: world.state, checkpointIntervalMs, keepCheckpoints, batchIntervalMs: 0, threads: 2 }, host); // prettier-ignore
    let life: Life | undefined;
    try {
      for (const { text, name } of texts) await engine.sql(text, name);
    } catch (error) {
      await engine.close();
      throw error;
    }
    life = new Life(world, engine, readers);
    return life;
  } // prettier-ignore

  private heard(event: RunEvent): void {
    if (this.world.crashed) return;
    if (event.event === 'warning') this.warnings.push(event.message);
    if (event.event === 'checkpoint' || event.event === 'warning') this.writing = false;
    if (event.event === 'resumed') {
      this.epoch = event.epoch;
      if (event.epoch >= 0) this.begins();
    }
    if (event.event === 'epoch') {
      this.epoch = event.epoch;
      this.begins();
      this.committed();
    }
  }

  private pinned(): void {
    this.writing = true;
  }

  /** Resolves with the work, or when the life has ended. */
  private async race(work: Promise<unknown>): Promise<void> {
    await Promise.race([work, this.running]);
  }

  /** Nothing is under way: every source waits. */
  async atRest(): Promise<void> {
    await this.race(this.begun);
    await this.race(Promise.all(this.readers.map(({ reader }) => reader.turnstile.occupied())));
  }

  /** What is being written beside the stream is written. */
  async quiet(): Promise<void> {
    while (this.writing && !this.world.crashed && !this.over && this.error === undefined)
      await new Promise((resolve) => setImmediate(resolve));
  }

  /** One epoch of these records and changes, or, without any, a look at the clock. */
  async deliver(records: readonly Delivery[], changes: readonly string[]): Promise<void> {
    await this.atRest();
    const all: { reader: SimulatedReader; chunks: Awaited<ReturnType<SimulatedReader['prepare']>> }[] = [];
    for (const { name, reader } of this.readers)
      all.push({ reader, chunks: await reader.prepare(records.filter((record) => sameName(record.source.text, name))) });
    const committed = new Promise<void>((resolve) => (this.committed = resolve));
    const changed = Promise.allSettled(changes.map((text) => this.engine.sql(text, 'sql')));
    for (const { reader, chunks } of all) reader.turnstile.pass(chunks);
    if (records.length > 0 || changes.length > 0) await this.race(committed);
    await this.atRest();
    await this.race(changed);
  } // prettier-ignore

  get readsNothing(): boolean {
    return this.readers.length === 0;
  }

  /** The input is over: runs to the end. */
  async finish(): Promise<void> {
    await this.atRest();
    for (const { reader } of this.readers) reader.end();
    if (this.readsNothing) this.abort.abort();
    await this.running;
  }

  query(text: string): Promise<ResultTable> {
    return this.engine.query(text);
  }

  /** Lets go of all that waits, and closes: whatever the engine still does is done to files that nobody looks at any more. */
  async end(): Promise<void> {
    this.abort.abort();
    for (const { reader } of this.readers) reader.turnstile.shut();
    await this.running;
    await this.engine.close();
  }
}
