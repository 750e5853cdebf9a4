import type { Span } from './errors.ts';
import type { IntakeLog } from './intake.ts';
import type { DeclaredMetadata, MetadataKeys } from './metadata.ts';
import type { OptionSpecs, OptionValues } from './options.ts';
import type { Column } from './schema.ts';
import type { Sql } from './sql.ts';

/** What a `CREATE SOURCE` says, as its connector sees it. */
export interface SourceDeclaration {
  readonly name: string;
  /** The physical columns as declared, with DuckDB types; empty where the user declared none. */
  readonly columns: readonly Column[];
  /** Its METADATA columns: the lines of the reader's chunks have the members of these, and of no others. */
  readonly metadata?: readonly DeclaredMetadata[];
  /** The names of the columns of its PRIMARY KEY, as the columns are spelled; empty where it declares none. */
  readonly primaryKey: readonly string[];
  /** The computed columns `name AS expression`: the `generator` connector makes its whole row of them. */
  readonly computed: readonly { readonly name: string; readonly expression: Sql }[];
  /** Checked against the connector's own specs; defaults filled in. */
  readonly options: OptionValues;
  readonly span: Span;
  /** Relative paths in options resolve against this folder. */
  readonly cwd: string;
  /** For the default of group_id: the stem of the file that is run. */
  readonly stem: string;
  /** Standard input was the SQL: there is nothing more in it. */
  readonly stdinIsSql?: boolean;
}

/** A kind of source. `plan` checks what only it can check and touches nothing outside: no file, no socket. */
export interface SourceConnector {
  readonly name: string;
  readonly doc: string;
  readonly options: OptionSpecs;
  /** What METADATA columns may say, by key. `plan` refuses what it cannot give with the options at hand. */
  readonly metadata?: MetadataKeys;
  plan(declaration: SourceDeclaration): SourcePlan;
}

export interface SourcePlan {
  /** The physical columns that the reader's chunks carry, in order. A connector with a known schema supplies it. */
  readonly columns: readonly Column[];
  /**
   * Whether `declaration.computed` is already part of `columns` (the generator), so that the engine adds nothing. Their
   * types are `''` then, for `plan` has no DuckDB to ask: the host describes the expressions over one `n BIGINT`.
   */
  readonly computesColumns?: boolean;
  /**
   * Set where the records are not rows but changes of rows of `columns`. The chunks are JSON lines then, as `CHANGE_KEYS`
   * has it where the connector has keys and records without a value.
   */
  readonly changes?: ChangeFormat | undefined;
  /** True where the input ends. */
  readonly bounded: boolean;
  /** It comes as it comes: though it may end, it is not there already. */
  readonly live?: boolean;
  /** Its bytes cannot be read again, and are kept in `SourceContext.log`. */
  readonly logged?: boolean;
  /** A record that does not decode stops the run instead of going to the dead letters. */
  readonly strict: boolean;
  /**
   * Where event times are not those of a world that the clock shows: `made up`, so that no clock tells what is idle, or too far in
   * the future, unless the user says so; `scripted`, so that it does not tell the latter.
   */
  readonly times?: 'made up' | 'scripted';
  /** Why there are no raw records to retain: the chunks are SELECTs. Absent where they hold text. */
  readonly nothingToRetain?: string;
  open(context: SourceContext): SourceReader;
}

/** How records say what changes: `debezium` as before, after and op; `upsert` as the new row of a key, or its end. */
export type ChangeFormat = {
  readonly format: 'debezium' | 'upsert';
  /** The lines carry the record's own key. */
  readonly keyed: boolean;
};

/**
 * Members that a connector adds at the front of a line: the record's key as JSON (an object of the PRIMARY KEY's columns
 * where there is one), and `true` for a record that has a key and no value.
 */
export const CHANGE_KEYS = { key: '$key', deleted: '$deleted' } as const;

/** What the host hands to a reader. */
export interface SourceContext {
  /** Files that DuckDB can read, in shared memory where the platform has it; reused, so that their pages stay. */
  readonly scratch: ScratchPool;
  /** How many chunk files a batch of one partition is best cut into (DuckDB reads one file on one thread). */
  readonly parallelism: number;
  /** Runs a read-only query, for a reader that plans by asking DuckDB (Parquet row counts). Rows as JSON-like values. */
  query(sql: Sql): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** For the status line and the log: 'waiting for broker 127.0.0.1:9092'; undefined when all is well again. */
  notice(message: string | undefined): void;
  readonly signal: AbortSignal;
  /** Where what comes is kept before it is used; there where the plan says `logged`. */
  readonly log?: IntakeLog;
  /** Where an earlier run stood; absent where this one begins. */
  readonly resume?: SourceResume;
  /**
   * Records between two positions of a partition are not there any more, and the user said to go on without them: counted,
   * and said. Absent where the user did not: the reader then throws GAP, naming the range.
   */
  readonly skipped?: (partition: string, from: number, to: number) => void;
}

/** What a reader wants to know to read on where another left off. */
export interface SourceResume {
  /**
   * The partitions that were known, by index: the reader's list begins with these, in this order, each at its position.
   * Partitions that turn up beside them follow, and are read from their start.
   */
  readonly partitions: readonly {
    readonly name: string;
    readonly position: number;
    /** The `ordinal` of the chunk that ended at the position. */
    readonly ordinal?: number | undefined;
    /** `PartitionState.end` at that time: a file that is gone is no loss where it was read to its end. */
    readonly end?: number | undefined;
  }[];
  /**
   * Partitions beside those, of which epochs have read that are to be read again: those epochs' order. Of a source that
   * lists each new partition when it first reads of it, it is the order of the list.
   */
  readonly turnedUp?: readonly string[];
}

export interface ScratchPool {
  acquire(): ScratchFile;
  /** Closes and removes every file. */
  close(): void;
}

/** A file that is written over from its start and then cut to length; give it back once it has been read. */
export interface ScratchFile {
  readonly path: string;
  /** Writes the pieces one after another from the file's start and cuts it to their length. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  release(): void;
}

/**
 * Reads one source. The caller calls `open` once, then `poll` again and again, one call at a time, then `close`.
 * Positions are the source's own (offset, byte, row) as safe integers; they never go back.
 */
export interface SourceReader {
  open(): Promise<void>;
  /** All partitions known by now, by index; the list only grows. Its states are live. */
  readonly partitions: readonly PartitionState[];
  /**
   * The next records, at most about `maxRecords` in all, from the allowed partitions only. Resolves with [] if none
   * come within `waitMs`. Chunks of one partition are in order and adjoin each other and what was read before.
   */
  poll(request: PollRequest): Promise<readonly Chunk[]>;
  /** The first record of a partition that has not begun, not consumed; undefined where the partition is empty. */
  peek?(partition: number): Promise<Chunk | undefined>;
  close(): Promise<void>;
}

export interface PollRequest {
  readonly partitions: ReadonlySet<number> | 'all';
  readonly maxRecords: number;
  readonly waitMs: number;
  /**
   * Positions that partitions are not to be read beyond, by index: an epoch that is logged is read again, and each of these
   * was where one of its ranges ended. A poll may bring less.
   */
  readonly upTo?: ReadonlyMap<number, number>;
}

export interface PartitionState {
  /** What people call it: a file's path, `topic-3`. Stable over restarts. */
  readonly name: string;
  /** Where the next read begins. */
  readonly position: number;
  /** Where reading it began; to be said of one that turns up in a poll which brings records of it already. */
  readonly initial?: number;
  /** The end as last seen; for lag and progress, in the units of `position`. */
  readonly end: number | undefined;
  /** About where it ends, where `end` is not known. */
  readonly about?: number | undefined;
  /** Nothing more will come. Of a source without an end: nothing that is to be waited for. */
  readonly done: boolean;
  /** How often the source has said where the partition ends, so that an outage can be told from quiet; absent where `end` is as of now. */
  readonly answers?: number;
  /**
   * It cannot be reached now, or there is more that cannot be read yet: where it ends says nothing until it can. false: it can;
   * undefined: that is told by whether there are answers.
   */
  readonly away?: boolean | undefined;
}

/** A stretch of one partition, ready to be decoded: the unit that an epoch's record names. */
export interface Chunk {
  readonly partition: number;
  /** First position, and the position after the last record. */
  readonly from: number;
  readonly to: number;
  /** Records in the body in order: blank lines do not count, `rejected` ones do not either. */
  readonly records: number;
  /**
   * The records' offsets as runs of consecutive numbers, in order, `records` in all: a Kafka offset, a row number of
   * Parquet, the ordinal of a line's record in its file. With the partition they identify a row for good.
   */
  readonly runs: readonly OffsetRun[];
  /** What the reader wants back in `SourceResume` to read on at `to`, where the position alone does not tell it. */
  readonly ordinal?: number;
  /**
   * CRC-32 of the bytes of the records, and their number, rejected ones in their places: of adjoining chunks together the
   * same, however they are cut. Absent where there are no bytes.
   */
  readonly check?: { readonly crc: number; readonly bytes: number };
  readonly body: ChunkBody;
  /** Records that the reader itself could not hand on; straight to the dead letters. */
  readonly rejected: readonly RejectedRecord[];
  /** Frees the body; called exactly once, when it has been decoded. */
  release(): void;
}

export interface OffsetRun {
  readonly first: number;
  readonly count: number;
}

export interface RejectedRecord {
  readonly offset: number;
  readonly payload: Uint8Array | null;
  readonly reason: string;
}

export type ChunkBody =
  /** One JSON object a line. `byteOffset`: where the body starts in its file, for dead letters that name a byte. */
  | {
      readonly kind: 'json';
      readonly path: string;
      readonly bytes: number;
      /**
       * Where in the file it begins: of chunks that share one, which they fill in their order, and which go into one epoch.
       * Absent where the file is this body alone.
       */
      readonly start?: number;
      readonly byteOffset?: number;
    }
  /** CSV records without their header. */
  | {
      readonly kind: 'csv';
      readonly path: string;
      readonly bytes: number;
      readonly byteOffset?: number;
      readonly dialect: CsvDialect;
    }
  /**
   * A SELECT that gives the plan's columns by name, typed, in record order, and does not fail. `given`: their types,
   * where those may be other than the plan's: the decoder casts, and a row that does not cast is a dead letter.
   */
  | { readonly kind: 'query'; readonly sql: Sql; readonly given?: readonly Column[] };

export interface CsvDialect {
  readonly delimiter: string;
  readonly quote: string;
  readonly escape: string;
  /** The text that means NULL, besides an empty unquoted field. */
  readonly nullText: string;
  /** The columns of the file in order; undefined entries are not declared and skipped. */
  readonly header: readonly (string | undefined)[];
}

/** A kind of sink. */
export interface SinkConnector {
  readonly name: string;
  readonly doc: string;
  readonly options: OptionSpecs;
  /**
   * Whether it writes changes, each row with a leading column `op`, '+' or '-': of results that change, or always; or what
   * to set so that it does. Absent: it takes rows that are only ever added.
   */
  changelog?(options: OptionValues): 'of changes' | 'always' | { readonly hint: string };
  /** Whether a PRIMARY KEY of the sink means something to it. */
  readonly keyed?: boolean;
  plan(declaration: SinkDeclaration): SinkPlan;
}

export interface SinkDeclaration {
  readonly name: string;
  /** Of the rows that it will be given. */
  readonly columns: readonly Column[];
  /** The names of the columns of its PRIMARY KEY, as the columns are spelled; absent or empty where it declares none. */
  readonly primaryKey?: readonly string[];
  readonly options: OptionValues;
  readonly span: Span;
  readonly cwd: string;
}

export interface SinkPlan {
  /** Where a crash may bring rows twice, and the reader of a plan should know. */
  readonly delivery?: 'at least once';
  open(context: SinkContext): SinkWriter;
}

export interface SinkContext {
  /** Runs a statement such as COPY over the epoch's delta. */
  run(sql: Sql): Promise<void>;
  query(sql: Sql): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** The user asked to remove what an earlier run made, as far as the sink knows it as its own. */
  readonly fresh?: boolean;
  /**
   * The run goes on after this epoch, the last one that is committed; those before it are published. Absent where the run
   * begins.
   */
  readonly resume?: { readonly epoch: number };
  /** Names the job for good, over restarts, unlike any other: for transactional ids and idempotency keys. */
  readonly job: string;
  /** For the status line and the log: 'waiting for …'; undefined when all is well again. */
  notice(message: string | undefined): void;
  /** Aborted when the run is to end. */
  readonly signal: AbortSignal;
  /**
   * Aborted when the run is asked to stop: the epoch under way is still published, but a writer that waits for someone else
   * gives up, which fails the run. The next one settles what was not published.
   */
  readonly stopping?: AbortSignal;
  /** Where `print` prints: rows of one epoch. */
  print(sink: string, columns: readonly Column[], rows: readonly Readonly<Record<string, unknown>>[]): void;
}

/**
 * Writes one epoch in two steps: `stage` may be undone or repeated, `publish` makes it seen. Epochs come in order, each is
 * published before the next is staged, and what is published stays. A step that fails ends the run with its state intact,
 * so a writer itself tries again where that can help.
 */
export interface SinkWriter {
  open(): Promise<void>;
  /**
   * Where the run resumes, after `open`: whether the rows of the epoch of `SinkContext.resume` are in. If not, that epoch is
   * staged and published again. A writer that cannot know says no: it delivers at least once.
   */
  isPublished(epoch: number): Promise<boolean>;
  /** Writes the rows of `delta` (a table) aside. */
  stage(epoch: number, delta: Sql, rows: number): Promise<void>;
  /** After the epoch is committed: makes what was staged visible. */
  publish(epoch: number): Promise<void>;
  /** Between epochs, about once a second while nothing comes: for what waits for time to pass. */
  tick?(): Promise<void>;
  /** After the last epoch of a run whose input ended, before `close`: what was written is whole. */
  finish?(): Promise<void>;
  close(): Promise<void>;
}
