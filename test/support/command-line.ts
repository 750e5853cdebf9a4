import type { OpenOptions, RunEvent, RunOptions, RunSummary } from '../../src/base/run.ts';
import type { Io, StopReason } from '../../src/cli/io.ts';
import { main } from '../../src/cli/main.ts';

/** A terminal or a pipe that keeps what was written. */
class Kept {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(columns?: number) {
    this.isTTY = columns !== undefined;
    this.columns = columns ?? 80;
  }

  write(text: string): void {
    this.text += text;
  }
}

export interface Surroundings {
  /** Of the terminal that standard error is; it is a pipe without. */
  readonly columns?: number;
  readonly env?: Io['env'];
  readonly cwd?: string;
  /** What the engine says during its run; `stop` is what a signal does, `at` turns the clock, ms. */
  readonly during?: (
    emit: (event: RunEvent) => void,
    outside: { readonly stop: (why: StopReason) => void; readonly at: (ms: number) => void },
  ) => void;
}

export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the engine was opened and run with. */
  readonly opened: OpenOptions | undefined;
  readonly ran: RunOptions | undefined;
  /** Codes with which the process would have ended at once. */
  readonly exits: readonly number[];
}

/** Runs a command line in this process, with an engine that only says what it was told to say. `-` reads an empty file. */
export async function commandLine(args: readonly string[], around: Surroundings = {}): Promise<CommandOutcome> {
  const [stdout, stderr] = [new Kept(), new Kept(around.columns)];
  const listeners = new Set<(why: StopReason) => void>();
  const exits: number[] = [];
  let opened: OpenOptions | undefined;
  let ran: RunOptions | undefined;
  let now = 0;
  const io: Io = {
    stdout, stderr, env: around.env ?? {}, cwd: around.cwd ?? '/nowhere', command: 'streamsql',
    readStdin: () => Promise.resolve(''),
    onStop: (listener) => (listeners.add(listener), () => void listeners.delete(listener)),
    exit: (code) => void exits.push(code),
    now: () => now,
  }; // prettier-ignore
  const outside = {
    stop: (why: StopReason) => listeners.forEach((listener) => listener(why)),
    at: (ms: number) => void (now = ms),
  };
  const nothing = (): Promise<never> => Promise.reject(new Error('not in this test'));
  // oxlint-disable-next-line require-yield
  const nobody = async function* (): AsyncGenerator<never> {
    await nothing();
  };
  const code = await main(args, io, {
    open: (options) => {
      opened = options;
      return Promise.resolve({
        sql: () => Promise.resolve([]),
        run: (options = {}) => {
          ran = options;
          around.during?.((event) => options.onEvent?.(event), outside);
          return Promise.resolve(SUMMARY);
        },
        query: nothing,
        read: nobody,
        status: nothing,
        explain: nothing,
        reading: nothing,
        declared: [],
        close: () => Promise.resolve(),
      });
    },
    runTests: nothing,
  });
  return { code, stdout: stdout.text, stderr: stderr.text, opened, ran, exits };
}

export const SUMMARY: RunSummary = {
  seconds: 1, epochs: 1, rowsIn: 0, rowsPerSecond: 0, late: 0, deadLetters: 0, sources: [], views: [], interrupted: false,
}; // prettier-ignore
