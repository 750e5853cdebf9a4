import type { Column } from './schema.ts';
import type { EngineStatus } from './status.ts';

/** What `open` takes. Every part has a default: a database in memory, no state folder, the current folder. */
export interface OpenOptions {
  /** The results database: a path, or `:memory:` (the default). */
  readonly db?: string;
  /** The state folder; none where absent. */
  readonly state?: string;
  /** Relative paths in options of sources and sinks resolve against it. */
  readonly cwd?: string;
  /** `${NAME}` in the SQL: these first, then the environment. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The least time from one batch's start to the next one's, ms; 100. */
  readonly batchIntervalMs?: number;
  /** The most records of an epoch. */
  readonly maxBatchRows?: number;
  /** DuckDB's memory_limit, such as `512MB`; what is over it spills beside the state. */
  readonly memoryLimit?: string;
  /** DuckDB's threads; the number of cores. */
  readonly threads?: number;
  /** First remove what an earlier run made, in a state folder and a database that streamsql knows as its own. */
  readonly fresh?: boolean;
  /** The least time between two checkpoints, ms; 10,000. There is one at the end of each run too. */
  readonly checkpointIntervalMs?: number;
  /** How many checkpoints are kept; 3. */
  readonly keepCheckpoints?: number;
  /** false: no checkpoints; a run that did not finish cannot be resumed then. */
  readonly checkpoints?: boolean;
  /** Records that are to be read and that their source has no longer: `stop` (the default) or go on without them. */
  readonly onGap?: 'stop' | 'skip';
  /** Views that are built anew, from their sources' start, though the run resumes. */
  readonly rebuild?: readonly string[];
  /** The stem of the file that is run; names the default Kafka group. */
  readonly stem?: string;
  /** The SQL came from standard input, which no source can read then. */
  readonly stdinIsSql?: boolean;
}

export interface RunOptions {
  /** Aborting it ends the run in good order: the batch is finished and committed. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
  /** A run that reads no source, only tables, ends after its first epoch; with this it goes on until the signal aborts. */
  readonly keepOpen?: boolean;
  /**
   * Changes of tables that come by `sql` are as if the file had gained them: a run that goes on from here with a file that
   * has them does not do them again.
   */
  readonly fileGrows?: boolean;
  /** What pauses sources and steps by hand. */
  readonly control?: RunControl;
  /** Ends the run in good order, as the signal does, when so many epochs, or at least so many rows, are committed, or after so long, ms. */
  readonly stopAfter?: { readonly epochs?: number; readonly rows?: number; readonly ms?: number };
}

/** A hand on a run: the run asks it between epochs. */
export interface RunControl {
  /** Nothing is to happen for now but changes of tables. */
  readonly holds: boolean;
  /** Whether a source is to be left alone for now. */
  isPaused(source: string): boolean;
  /** Resolves when the answers may be others; for one asker, so that what was asked before is let go of. */
  changed(): Promise<void>;
  /** The next epoch was asked for by hand. */
  readonly stepping: boolean;
  /** It is done; or the run has ended. */
  stepped(deltas: readonly OperatorDelta[]): void;
  readonly watcher: ViewWatcher;
}

/** Looks on as views change. */
export interface ViewWatcher {
  watches(view: string): boolean;
  /** After each epoch that changed it: at most the first thousand changes, rows after an `op`, '+' or '-'. */
  changed(view: string, changes: ResultTable): void;
}

/** What an operator gave in an epoch: how many rows, and the first of them; `$n` is their weight. */
export interface OperatorDelta {
  readonly operator: string;
  readonly title: string;
  readonly rows: number;
  readonly table: ResultTable;
}

/** Rows as JSON values: what is too wide for a JSON number (BIGINT, DECIMAL, HUGEINT) is a string. */
export interface ResultTable {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * Of the partition that holds a watermark back: it has brought no record with an event time; it is a file that has not begun; it has
 * more to be read; it is at its end, and not idle; it is the slowest, and where it ends is not known. Or there is no partition; all are
 * idle, and the watermark stands (`idle`) or goes on with the clock (`clock`).
 */
export type HeldBackReason =
  'no event time yet' | 'not begun' | 'backlog' | 'nothing new' | 'slowest' | 'no partition yet' | 'idle' | 'clock';

export interface SourceProgress {
  readonly name: string;
  /** Records read so far, of a run that goes on in all of it. */
  readonly rows: number;
  readonly late: number;
  readonly deadLetters: number;
  /** Positions (offsets, bytes) that were to be read and were not there any more, in all runs: `onGap: 'skip'`. */
  readonly skipped: number;
  /** Of the first dead letter. */
  readonly firstReason: string | undefined;
  /** Records, bytes or rows yet to be read as far as the source knows its end; `done` of `total` in the same unit. */
  readonly done: number;
  readonly total: number | undefined;
  /** What of `done` is in the results: the rest is read, and on its way. */
  readonly committed: number;
  /** Microseconds since 1970-01-01 UTC; undefined before there is one. */
  readonly watermark: bigint | undefined;
  /** The partition whose watermark is the source's, where there are several. */
  readonly heldBackBy: string | undefined;
  /** Why the watermark is where it is; undefined where there is none to come, or the input is over. */
  readonly heldBackReason: HeldBackReason | undefined;
  /** 'waiting for broker …'; undefined when all is well. */
  readonly notice: string | undefined;
}

export interface Progress {
  readonly epoch: number;
  /** Since the first read, seconds. */
  readonly seconds: number;
  readonly rowsIn: number;
  /** Over the last seconds. */
  readonly rowsPerSecond: number;
  readonly sources: readonly SourceProgress[];
  /** What a sink waits for: 'waiting for …'; undefined when all is well. */
  readonly sinks: readonly { readonly name: string; readonly notice: string | undefined }[];
}

export interface RunSummary {
  /** From the first read to the last commit. */
  readonly seconds: number;
  readonly epochs: number;
  readonly rowsIn: number;
  readonly rowsPerSecond: number;
  readonly late: number;
  readonly deadLetters: number;
  readonly sources: readonly SourceProgress[];
  /** Rows of each materialized view at the end, and how many input rows were late for it. */
  readonly views: readonly { readonly name: string; readonly rows: number; readonly late: number }[];
  /** Ended because it was asked to, not because the input ended. */
  readonly interrupted: boolean;
}

export type RunEvent =
  | {
      readonly event: 'start';
      readonly db: string;
      readonly state: string | undefined;
      readonly bounded: boolean;
      readonly sources: readonly { readonly name: string; readonly connector: string; readonly bounded: boolean }[];
      readonly views: readonly string[];
    }
  | ({ readonly event: 'epoch' } & Progress)
  /** Between epochs, about once a second, also while nothing comes. */
  | ({ readonly event: 'progress' } & Progress)
  | { readonly event: 'warning'; readonly message: string }
  /** The run goes on where an earlier one stopped: from the checkpoint of an epoch, with the epochs after it done again. */
  | { readonly event: 'resumed'; readonly checkpoint: number; readonly epoch: number; readonly seconds: number }
  | {
      readonly event: 'checkpoint';
      readonly epoch: number;
      /** From the snapshot to the rename, ms; the stream went on meanwhile but for `pausedMs`. */
      readonly ms: number;
      readonly pausedMs: number;
      /** Written by this one. */
      readonly rows: number;
      readonly bytes: number;
    }
  /** What a `print` sink, or a continuous SELECT over a source, shows of one epoch. */
  | { readonly event: 'rows'; readonly sink: string; readonly table: ResultTable }
  /** A closing SELECT (also SHOW, DESCRIBE, EXPLAIN): `sql` is its text as written. */
  | { readonly event: 'result'; readonly sql: string; readonly table: ResultTable }
  | ({ readonly event: 'done' } & RunSummary);

export interface ExplainOptions {
  readonly format?: 'text' | 'json';
  /** Run the file first (its sources must be bounded) and add rows, statements and time to each operator. */
  readonly analyze?: boolean;
}

/** Over a source it runs on and on; else it is asked of the results, as `sql`. `origin` maps an offset in `sql` to one in the text. */
export type Reading =
  | { readonly continuous: true }
  | { readonly continuous: false; readonly sql: string; readonly origin: (offset: number) => number };

export interface Declared {
  readonly name: string;
  readonly kind: 'source' | 'table' | 'view' | 'materialized view' | 'sink';
  readonly columns: readonly Column[];
  /** The sources that it reads, itself or through others; a source's own name. */
  readonly sources: readonly string[];
  /** The ORDER BY of a continuous SELECT whose rows these are. */
  readonly order?: string;
}

export interface ReadOptions {
  /** Aborting it ends the statement that runs. */
  readonly signal?: AbortSignal;
  /** Relative paths in the text resolve against it; the engine's own folder. */
  readonly cwd?: string;
  /** UTC where absent. */
  readonly timeZone?: string;
}

/** First the epoch that is read, where there is one; then for each statement its columns, and its rows as they come. */
export type ReadPart =
  { readonly epoch: number } | { readonly columns: readonly Column[] } | { readonly rows: ResultTable['rows'] };

/** A streamsql engine: declare with `sql`, run, and query. See `open` in engine.ts. */
export interface Engine {
  /**
   * Declares what the statements say; nothing runs yet. A trailing SELECT is kept for the end of the run; SHOW,
   * DESCRIBE and EXPLAIN answer at once. `name` is what errors call the text. Throws StreamsqlError with a span into
   * `text`; after an error nothing of `text` is declared, and no table has changed.
   *
   * While the engine runs: INSERT, UPDATE and DELETE of tables, and nothing else. They are part of the next epoch, all of
   * `text` or nothing of it, and the promise resolves when that epoch is committed. An error of theirs stops no run.
   */
  sql(text: string, name?: string): Promise<readonly { readonly sql: string; readonly table: ResultTable }[]>;
  /** Runs until the input ends or the signal aborts. Throws StreamsqlError. Once per engine. */
  run(options?: RunOptions): Promise<RunSummary>;
  /** Any DuckDB SELECT over the results: before, during (one consistent epoch) and after a run. */
  query(sql: string): Promise<ResultTable>;
  /**
   * Any statements that only read, over one epoch, as they answer; an epoch that is committed meanwhile is not seen. Throws
   * UNSUPPORTED, before it reads anything, where one does more than read; LOCKED where the run ends meanwhile.
   */
  read(text: string, options?: ReadOptions): AsyncGenerator<ReadPart>;
  /** How it stands, now. */
  status(): Promise<EngineStatus>;
  /** How a SELECT would be answered. Throws StreamsqlError with a span into `text`. */
  reading(text: string): Promise<Reading>;
  /** What is declared so far. */
  readonly declared: readonly Declared[];
  explain(options?: ExplainOptions): Promise<string>;
  close(): Promise<void>;
}
