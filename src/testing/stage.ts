import type { Chunk, SourceContext, SourceReader } from '../base/connector.ts';
import { sameName } from '../base/schema.ts';
import type { EngineHost, RunEvent } from '../engine.ts';
import { isFed, standIn, type Feeding } from './feed-connector.ts';
import { FeedReader } from './feed-reader.ts';
import { HeldReader } from './held-reader.ts';
import type { Delivery } from './slicing.ts';
import { TestError } from './test-error.ts';
import { Turnstile } from './turnstile.ts';

type OpenReader = NonNullable<EngineHost['openReader']>;

/**
 * What surrounds the engine under test: its sources, its clock, and when an epoch is cut. Between two epochs every
 * source's poll waits at a turnstile, so whoever looks at the results then sees them at rest.
 */
export class Stage {
  /** ms since 1970. */
  clock: number;
  private readonly feeding: Feeding;
  private readonly records: readonly Delivery[];
  private readonly readers: { name: string; reader: FeedReader | HeldReader; turnstile: Turnstile }[] = [];
  private committed: (() => void) | undefined;
  private begin: () => void = () => undefined;
  private readonly begun = new Promise<void>((resolve) => (this.begin = resolve));

  constructor(clock: number, feeding: Feeding, records: readonly Delivery[]) {
    this.clock = clock;
    this.feeding = feeding;
    this.records = records;
  }

  get host(): EngineHost {
    return {
      pollAll: true,
      now: () => this.clock,
      source: (name, real) => standIn(name, real, this.feeding),
      openReader: (source, context) => this.openReader(source, context),
    };
  }

  private openReader(source: Parameters<OpenReader>[0], context: SourceContext): SourceReader {
    const turnstile = new Turnstile();
    context.signal.addEventListener('abort', () => turnstile.shut(), { once: true });
    const { name } = source;
    const records = this.records.filter((record) => sameName(record.source.text, name));
    const reader = isFed(this.feeding, name, source.connector)
      ? new FeedReader({ name, columns: source.physical, records }, context, turnstile)
      : new HeldReader(source.plan.open(context), turnstile);
    this.readers.push({ name, reader, turnstile });
    return reader;
  }

  /** To be told of every event of the run. */
  heard(event: RunEvent): void {
    if (event.event !== 'epoch') return;
    this.begin();
    this.committed?.();
    this.committed = undefined;
  }

  /**
   * Runs one epoch of these records, in which the clock may have moved; done when it is committed. `change` sends the
   * changes of tables that are part of it, and waits for what becomes of them.
   */
  async epoch(records: readonly Delivery[], change?: () => Promise<void>): Promise<void> {
    await this.atRest();
    const chunks: { turnstile: Turnstile; chunks: readonly Chunk[] }[] = [];
    for (const { name, reader, turnstile } of this.readers) {
      const own = records.filter((record) => sameName(record.source.text, name));
      chunks.push({ turnstile, chunks: reader instanceof FeedReader ? await reader.prepare(own) : [] });
    }
    const committed = new Promise<void>((resolve) => (this.committed = resolve));
    // What is sent here and what is let pass below comes to the engine at once: it is one epoch.
    const changed = change?.();
    for (const { turnstile, chunks: own } of chunks) turnstile.pass(own);
    // Without records the engine runs an epoch only where its clock calls for one.
    await (records.length > 0 || change !== undefined ? committed : this.atRest());
    await changed;
  }

  /** Refuses records that nobody would read; once the run has begun. */
  checkSources(records: readonly Delivery[]): void {
    for (const { source } of records) {
      if (this.readers.some(({ name }) => sameName(name, source.text))) continue;
      const names = this.readers.map(({ name }) => name).join(', ');
      throw new TestError(
        'CATALOG',
        `no view and no sink reads a source ${source.text}`,
        source.span,
        `those read are: ${names}`,
      );
    }
  }

  /** Every source waits for its turn: the last epoch is committed. */
  async atRest(): Promise<void> {
    await this.begun;
    await Promise.all(this.readers.map(({ turnstile }) => turnstile.occupied()));
  }

  get readsNothing(): boolean {
    return this.readers.length === 0;
  }

  /** The input ends: what is fed is over, and other sources run to their end. */
  end(): void {
    for (const { reader } of this.readers) reader.end();
  }

  /** Lets every poll go, so that a run that was aborted can end. */
  release(): void {
    for (const { turnstile } of this.readers) turnstile.shut();
  }
}
