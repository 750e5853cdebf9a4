/** A stream that people or programs read. */
export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Of the terminal, now; it may be resized. */
  readonly columns: number;
  /** Of the terminal, now, where it has so few. */
  readonly rows?: number | undefined;
}

/** All that the command line touches of the process, so that tests can stand in for it. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** What a person types to start streamsql, for hints: `streamsql`. */
  readonly command: string;
  /** All of standard input. */
  readStdin(): Promise<string>;
  /** Calls back at each SIGINT and SIGTERM, and when standard output is closed; returns how to stop that. */
  onStop(listener: (why: StopReason) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

export type StopReason = 'SIGINT' | 'SIGTERM' | 'output-closed';
