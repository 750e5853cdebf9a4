import type { CsvDialect } from '../../base/connector.ts';

/** The version of what is written below; another one's checkpoints are refused, by name. */
export const MANIFEST_FORMAT = 1;

/** A file of the state folder, by its path from there. */
export interface FileReference {
  readonly path: string;
  readonly bytes: number;
  readonly crc32: number;
}

/** What one checkpoint added to a table of the state. A table is its segments, applied one after another. */
export interface Segment {
  /** The checkpoint that wrote it, by its epoch. */
  readonly epoch: number;
  /** `whole`: all that the table holds. `added`: rows to add, after what is named below is taken away from those before. */
  readonly kind: 'whole' | 'added';
  readonly rows: number;
  /** Parquet, the table's columns; absent where there are no rows. */
  readonly file?: FileReference;
  /** Conditions over the table's columns, SQL: what they hold for goes. */
  readonly conditions?: readonly string[];
  /** Parquet, some of the table's columns: rows with these values go. */
  readonly gone?: FileReference;
  /** The columns of a key: of the rows before, those with the key of a row of `file` go. */
  readonly key?: readonly string[];
}

export interface TableState {
  /** In the schema `state`, without the operator's name. */
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: number;
  readonly segments: readonly Segment[];
}

/** What a value that an operator keeps outside its tables may be. */
export type Memo = null | boolean | number | string | readonly Memo[] | { readonly [name: string]: Memo };

export interface OperatorState {
  /** Whose it is: the view, sink or table that it was planned for, and its place there. The same in the next run's plan. */
  readonly key: string;
  /** As EXPLAIN calls it. */
  readonly title: string;
  readonly memo: Memo;
  readonly tables: readonly TableState[];
}

export interface PartitionStateSaved {
  readonly name: string;
  readonly position: number;
  readonly ordinal: number | null;
  /** Where it ended, as last seen. */
  readonly end: number | null;
  /** The greatest event time so far, microseconds, as text. */
  readonly greatest: string | null;
  /** Where the reader stood when the partition was first seen. */
  readonly initial: number;
  /** The engine's clock in the last epoch that brought something of it, microseconds, as text. */
  readonly active?: string;
}

export interface SourceState {
  readonly name: string;
  readonly fingerprint: string;
  /** The watermark that was announced last, microseconds, as text. */
  readonly watermark: string | null;
  /** The engine's clock when it was last looked at what is idle, microseconds, as text. */
  readonly decided?: string;
  readonly rows: number;
  readonly late: number;
  readonly deadLetters: number;
  /** Positions that were lost and passed over. */
  readonly skipped: number;
  readonly partitions: readonly PartitionStateSaved[];
}

/** Raw records of a source, a row each, in the order in which they came. */
export interface RetainedFile extends FileReference {
  readonly rows: number;
  /** How often what it holds has been put together with its neighbours. */
  readonly level: number;
  readonly epochs: { readonly first: number; readonly last: number };
  /** The engine's clock when the first and the last of its records came, microseconds, as text. */
  readonly since: string;
  readonly clock: string;
  /** What it has of each partition that it has anything of. */
  readonly partitions: readonly RetainedRange[];
}

export interface RetainedRange {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The raw records that are kept of a source, by partition: all that was read from one position on up to another. */
export interface RetainedSource {
  readonly source: string;
  /** Of metadata that the lines have in front; absent where there are none. */
  readonly members?: readonly string[];
  /** `ordinal`: of the chunk that ended at `to`. `dialect`: of records of CSV. */
  readonly partitions: readonly (RetainedRange & {
    readonly ordinal: number | null;
    readonly dialect?: StoredDialect;
  })[];
  /** In the order in which they came. What of a partition is before its `from` is of no use. */
  readonly files: readonly RetainedFile[];
}

/** `CsvDialect` as JSON has it. */
export type StoredDialect = Omit<CsvDialect, 'header'> & { readonly header: readonly (string | null)[] };

export interface TargetState {
  readonly kind: 'view' | 'sink' | 'table';
  readonly name: string;
  /** Of what it computes, however it is written. */
  readonly fingerprint: string;
  /** As the user wrote it. */
  readonly sql: string;
}

/**
 * All that a run goes on from: the state as it was between two epochs, and where everything stood. Written as
 * `checkpoints/EPOCH.json`, one line of JSON and one with the CRC-32 of that line.
 */
export interface Manifest {
  readonly format: number;
  readonly streamsql: string;
  readonly duckdb: string;
  /** The job's name for good. */
  readonly job: string;
  /** The last epoch that the state has taken in; -1 before the first. */
  readonly epoch: number;
  readonly takenAt: string;
  /** The engine's clock, microseconds, as text. */
  readonly clock: string;
  readonly targets: readonly TargetState[];
  readonly sources: readonly SourceState[];
  readonly operators: readonly OperatorState[];
  /** Of sources with `retain`; their files are looked at only when they are needed. */
  readonly retained?: readonly RetainedSource[];
}
