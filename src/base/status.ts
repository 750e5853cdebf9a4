/** How an engine stands: plain JSON. Instants are microseconds since 1970-01-01 UTC as text, clocks ISO 8601. */
export interface EngineStatus {
  readonly pid: number;
  readonly version: string;
  /** The results database; `:memory:`. */
  readonly db: string;
  /** `starting`: it takes over, or recovers. `ending`: what is committed is being put in order. `idle`: it does not run. */
  readonly phase: 'starting' | 'running' | 'ending' | 'idle';
  /** The engine's clock. */
  readonly at: string;
  /** When this run began. */
  readonly since: string | null;
  /** The last one that is committed; -1: none. */
  readonly epoch: number;
  /** Of this run. */
  readonly rowsIn: number;
  readonly rowsPerSecond: number;
  /** What DuckDB holds, bytes. */
  readonly memory: number | null;
  readonly sources: readonly SourceStatus[];
  readonly views: readonly ViewStatus[];
  readonly sinks: readonly { readonly name: string; readonly connector: string; readonly notice: string | null }[];
  /** The last one of this run. */
  readonly checkpoint: CheckpointStatus | null;
}

export interface SourceStatus {
  readonly name: string;
  readonly connector: string;
  readonly bounded: boolean;
  readonly rows: number;
  readonly rowsPerSecond: number;
  /** What is there and not read yet, in the source's own units (records, bytes); null: it does not know its end. */
  readonly lag: number | null;
  /** From the latest event time that was read to the engine's clock, ms; null where it has no event time, or ends. */
  readonly behindMs: number | null;
  readonly watermark: string | null;
  readonly late: number;
  readonly deadLetters: number;
  readonly skipped: number;
  /** Of the first dead letter. */
  readonly firstReason: string | null;
  readonly notice: string | null;
  /** It is left alone until someone resumes it. */
  readonly paused: boolean;
  /** The partition that the watermark waits for; null where none has to come. */
  readonly heldBy: string | null;
  /** Why the watermark is no further, as a sentence. */
  readonly why: string;
  readonly partitions: readonly PartitionStatus[];
}

export interface PartitionStatus {
  readonly name: string;
  /** Up to where epochs have read it, and its end as last seen. */
  readonly position: number;
  readonly end: number | null;
  /** The latest event time that was read. */
  readonly latest: string | null;
  readonly state: 'reading' | 'at its end' | 'idle' | 'done';
}

export interface ViewStatus {
  readonly name: string;
  readonly emit: 'changes' | 'on-window-close';
  readonly rows: number;
  /** Rows that its operators keep. */
  readonly stateRows: number;
  /** Of them on disk, in the last checkpoint; 0 where there is none. */
  readonly stateBytes: number;
  readonly late: number;
  /** The window that closes next; null where none is open. */
  readonly window: WindowStatus | null;
}

export interface WindowStatus {
  /** Null where only the end is known. */
  readonly start: string | null;
  readonly end: string;
  /** The watermark that closes it: its end, and what is allowed to be late. */
  readonly closesAt: string;
  /** `processing`: the engine's clock closes it. */
  readonly clock: 'event' | 'processing';
  /** Where the watermark is, at the operator that holds the window. */
  readonly watermark: string | null;
  /** The source whose watermark it is. */
  readonly source: string | null;
}

export interface CheckpointStatus {
  readonly epoch: number;
  readonly at: string;
  readonly ms: number;
  readonly rows: number;
  /** Written by it. */
  readonly bytes: number;
}
