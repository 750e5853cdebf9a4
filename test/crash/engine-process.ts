import { spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const SCRIPT = resolve(import.meta.dirname, '../../scripts/streamsql.ts');

/** How a process ended, and what it said. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

export type JsonEvent = Readonly<Record<string, unknown>> & { readonly event: string };

/** `streamsql ARGS --json` as a process of its own in a folder. */
export class EngineProcess {
  readonly startedAt = performance.now();
  readonly ended: Promise<Ending>;
  /** What it was sent, by us. */
  readonly signals: NodeJS.Signals[] = [];
  private readonly child: ChildProcess;
  private readonly listeners: ((event: JsonEvent) => void)[] = [];

  constructor(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [SCRIPT, ...args, '--json'], {
      cwd: folder,
      // Nothing of npm or of the test runner; a compile cache, for there will be hundreds of starts.
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: join(tmpdir(), 'streamsql-crash-compiled'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [rest, stderr] = ['', ''];
    this.child.stdout?.on('data', (bytes: Buffer) => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.tell(line);
    });
    this.child.stderr?.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
    this.ended = new Promise((done, fail) => {
      this.child.once('error', fail);
      this.child.once('close', (code, signal) => done({ code, signal, stderr }));
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  onEvent(listener: (event: JsonEvent) => void): void {
    this.listeners.push(listener);
  }

  /** Resolves with the first event that passes, or with undefined if the process ends before. */
  until(passes: (event: JsonEvent) => boolean): Promise<JsonEvent | undefined> {
    return new Promise((done) => {
      this.onEvent((event) => {
        if (passes(event)) done(event);
      });
      void this.ended.then(() => done(undefined));
    });
  }

  /** SIGKILL, or, once, a signal that asks for an end in good order: a second one would end it at once. */
  kill(signal: NodeJS.Signals): void {
    if (signal !== 'SIGKILL' && this.signals.length > 0) return;
    this.signals.push(signal);
    this.child.kill(signal);
  }

  private tell(line: string): void {
    const event = JSON.parse(line) as JsonEvent;
    for (const listener of this.listeners) listener(event);
  }
}
