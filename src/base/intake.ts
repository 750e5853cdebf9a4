/**
 * A log of bytes that cannot be read again where they came from: what a pipe, a socket or a request brought is appended, and
 * synced, before an epoch uses it. From then on it is read as a file that only grows.
 *
 * It is a sequence of entries. One that begins with a NUL byte is no record: `NUL F` is the frame that the host puts before the
 * bytes of one append, up to a line feed; `NUL R` a record that is no line, base64 of JSON, up to a line feed. All other entries
 * are records, each with its line end. Positions count all bytes, ordinals the records, rejected ones too.
 */
export interface IntakeLog {
  /** false: a view that is added reads what the log has; nobody is to be listened to. */
  readonly live: boolean;
  /**
   * The log of a partition, the same each time. Resolves when the run has taken its state folder, which it does only after all
   * sources are open.
   */
  partition(name: string): Promise<IntakePartition>;
}

export interface IntakePartition {
  /** Of the first byte that is kept, and the number of records before it. */
  readonly start: { readonly position: number; readonly ordinal: number };
  /** After the last byte that is there for good. */
  readonly end: number;
  /** Given to `append` and not there for good yet, bytes. */
  readonly underway: number;
  /** What was noted of the whole partition before its first byte, and is kept as long as it is: a header. */
  readonly head: string | undefined;
  /** Throws STATE where what is kept from a position on is not as it was written. */
  check(from: number): Promise<void>;
  /** Once, before the first `append`. */
  note(head: string): void;
  /**
   * Appends whole entries, `records` of them, all of them or none; resolves when they are there for good. What is appended
   * meanwhile shares one sync. It fails for ever once it has failed.
   */
  append(bytes: readonly Uint8Array[], records: number): Promise<void>;
  /** Fills `into` from a position on; how much. It is short only at the end, or where a file of the log ends. */
  read(position: number, into: Uint8Array): Promise<number>;
}

/** The bytes with which an entry that is no record begins. */
export const INTAKE = { mark: 0, frame: 0x46, rejected: 0x52 } as const;
