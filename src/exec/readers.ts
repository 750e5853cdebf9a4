import { setTimeout as sleep } from 'node:timers/promises';
import { aborted } from '../base/abort.ts';
import { parseSize } from '../base/options.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { ReadOptions, ReadPart } from '../base/run.ts';
import { sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';
import { reading } from './reading.ts';
import { meta } from './results-schema.ts';

type Connect = () => Promise<DuckConnection>;

/** How often it is looked at what a reader keeps from being let go, ms. */
const LOOK_MS = 500;
/** What of DuckDB's memory the past may fill that readers still see. */
const PAST_SHARE = 0.25;

/** How often those that are to end are told to, and for how long, ms. */
const END_MS = 5;
const PATIENCE_MS = 2000;

interface Reader {
  readonly connection: DuckConnection;
  /** Why it was ended. */
  ended: StreamsqlError | undefined;
}

/**
 * Reads of the results by people, while a run may change them. Each has a connection and one read-only transaction: it sees one
 * epoch. Writers and readers do not wait for each other, but what they still see of the past stays in memory, and the log
 * of the results is not taken in meanwhile.
 */
export class Readers {
  private readonly connect: Connect;
  private readonly running = new Set<Reader>();
  private gate: Promise<void> = Promise.resolve();
  private watching = false;

  constructor(connect: Connect) {
    this.connect = connect;
  }

  /** Reads wait until what it returns is called. */
  hold(): () => void {
    let open = (): void => undefined;
    this.gate = new Promise<void>((resolve) => (open = resolve));
    return open;
  }

  /** Does something that wants no reader: those that read are ended, others wait. */
  async without(work: () => Promise<void>): Promise<void> {
    const open = this.hold();
    try {
      await this.end(ranOut());
      await work();
    } finally {
      open();
    }
  }

  /** Whether reads may begin; false where the signal aborted before. */
  private async opened(signal: AbortSignal | undefined): Promise<boolean> {
    if (signal === undefined) await this.gate;
    else if (!signal.aborted) await Promise.race([this.gate, aborted(signal)]);
    return signal?.aborted !== true;
  }

  async *read(text: string, { signal, cwd, timeZone }: ReadOptions): AsyncGenerator<ReadPart> {
    if (!(await this.opened(signal))) return;
    const reader: Reader = { connection: await this.connect(), ended: undefined };
    const { connection } = reader;
    let again: NodeJS.Timeout | undefined;
    // Between two statements there is nothing to interrupt: the next one is.
    const stop = (): void => {
      connection.interrupt();
      again ??= setInterval(stop, END_MS);
    };
    this.running.add(reader);
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop);
    this.watch();
    try {
      await connection.run(sql`USE res`);
      if (timeZone !== undefined) await connection.run(sql`SET TimeZone = ${timeZone}`);
      if (cwd !== undefined) await connection.run(sql`SET file_search_path = ${cwd}`);
      await connection.run(sql`SET errors_as_json = true`);
      await connection.run(sql`BEGIN TRANSACTION READ ONLY`);
      const epoch = await lastEpoch(connection);
      if (epoch !== undefined) yield { epoch };
      for await (const part of reading(connection, text)) {
        if (reader.ended !== undefined) throw reader.ended;
        if (signal?.aborted === true) return;
        yield part;
      }
    } catch (error) {
      throw reader.ended ?? error;
    } finally {
      signal?.removeEventListener('abort', stop);
      clearInterval(again);
      await connection.run(sql`ROLLBACK`).catch(() => undefined);
      this.running.delete(reader);
      connection.close();
    }
  }

  /** Ends those that read, and waits until they have; not for one whose rows nobody takes. */
  private async end(why: StreamsqlError): Promise<void> {
    for (let waited = 0; this.running.size > 0 && waited < PATIENCE_MS; waited += END_MS) {
      this.interrupt(why);
      await sleep(END_MS);
    }
  }

  /** While someone reads: the past that is kept for it may not fill the memory. */
  private watch(): void {
    if (this.watching) return;
    this.watching = true;
    // The engine may be closed while it looks.
    this.look()
      .catch(() => undefined)
      .finally(() => (this.watching = false));
  }

  private async look(): Promise<void> {
    const connection = await this.connect();
    try {
      const limit = PAST_SHARE * (await memoryLimit(connection));
      while (this.running.size > 0) {
        await sleep(LOOK_MS, undefined, { ref: false });
        const past = await pastOf(connection);
        if (past > limit) this.interrupt(tooMuchPast(past));
      }
    } finally {
      connection.close();
    }
  }

  private interrupt(why: StreamsqlError): void {
    for (const reader of this.running) {
      reader.ended ??= why;
      reader.connection.interrupt();
    }
  }

  async close(): Promise<void> {
    await this.end(ranOut());
  }
}

const ranOut = (): StreamsqlError =>
  new StreamsqlError('LOCKED', 'the run ended while it was asked', { hint: 'ask again' });

const tooMuchPast = (bytes: number): StreamsqlError =>
  new StreamsqlError('EXECUTION', `the query was ended: ${Math.round(bytes / 1e6)} MB of what the stream has changed since it began were kept for it`, {
    hint: 'ask for less, or ask when the run has ended; a run with a larger --memory-limit lets queries go on for longer',
  }); // prettier-ignore

/** What is kept of the past, bytes. */
async function pastOf(connection: DuckConnection): Promise<number> {
  const bytes = await connection.text(
    sql`SELECT CAST(sum(memory_usage_bytes) AS VARCHAR) FROM duckdb_memory() WHERE tag = 'TRANSACTION'`,
  );
  return bytes === undefined ? 0 : Number(bytes);
}

/** Undefined where no run of streamsql wrote the results. By this the transaction sees the results as they are now. */
async function lastEpoch(connection: DuckConnection): Promise<number | undefined> {
  const known = await connection.text(
    sql`SELECT 'yes' FROM duckdb_tables() WHERE database_name = 'res' AND schema_name = '_streamsql' AND table_name = 'epochs'`,
  );
  if (known === undefined) return undefined;
  const last = await connection.text(sql`SELECT CAST(max(epoch) AS VARCHAR) FROM ${meta('epochs')}`);
  return last === undefined ? -1 : Number(last);
}

async function memoryLimit(connection: DuckConnection): Promise<number> {
  const text = await connection.text(sql`SELECT CAST(current_setting('memory_limit') AS VARCHAR)`);
  return (text === undefined ? undefined : parseSize(text)) ?? Infinity;
}
