import { homedir } from 'node:os';
import { join } from 'node:path';
import { Recoverable, start, type REPLServer } from 'node:repl';
import type { Readable, Writable } from 'node:stream';
import type { Io, Output } from '../cli/io.ts';
import { complete, type Known } from './completion.ts';
import type { Shell } from './shell.ts';
import { isBlank, splitStatements } from './split.ts';

export interface TerminalOptions {
  readonly input: Readable;
  readonly output: Writable & { readonly columns?: number; readonly rows?: number };
  readonly env: Io['env'];
  readonly known: () => Known;
  /** Shows an error as text. */
  readonly failure: (thrown: unknown) => string;
}

const PROMPT = 'streamsql> ';

type Done = (error: Error | null, result: undefined) => void;

/** The terminal of a session, on node:repl: lines with history and completion become statements and commands. */
export class Terminal implements Output {
  readonly isTTY = true;
  private readonly options: TerminalOptions;
  private server: REPLServer | undefined;
  private work: Promise<void> = Promise.resolve();
  private working = 0;
  /** Lines of a statement that is not whole yet. */
  private buffered = '';
  /** Statements of these lines that have been taken. */
  private taken = 0;

  constructor(options: TerminalOptions) {
    this.options = options;
  }

  get columns(): number {
    const { columns } = this.options.output;
    return columns !== undefined && columns > 0 ? columns : 80;
  }

  get rows(): number | undefined {
    const { rows } = this.options.output;
    return rows !== undefined && rows > 0 ? rows : undefined;
  }

  /** Above the prompt, if there is one just now. */
  write(text: string): void {
    const { output } = this.options;
    const isPrompting = this.server !== undefined && this.working === 0;
    if (isPrompting) output.write('\r\x1b[J');
    output.write(text);
    if (isPrompting) this.server?.displayPrompt(true);
  }

  /** Reads and runs until the person leaves. */
  async run(shell: Shell): Promise<void> {
    const { input, output, env } = this.options;
    const server = start({
      prompt: PROMPT, input, output, terminal: true, useGlobal: false, ignoreUndefined: true, preview: false,
      eval: (text: string, _context: unknown, _file: string, done: Done) => this.lines(shell, text, done),
      completer: (line: string) => complete(line, this.buffered, this.options.known()),
    }); // prettier-ignore
    this.server = server;
    this.takeCommands(server, shell);
    server.removeAllListeners('SIGINT');
    server.on('SIGINT', () => this.interrupted(server, shell));
    await this.history(server, env);
    await new Promise<void>((left) => server.on('exit', left));
    this.server = undefined;
    shell.interrupt();
    await this.work;
  }

  close(): void {
    this.server?.close();
  }

  /** All that begins with a dot is ours, unless a statement is under way. */
  private takeCommands(server: REPLServer, shell: Shell): void {
    const commands = new Proxy(server.commands, {
      get: (_target, word) =>
        typeof word === 'string' && this.buffered === ''
          ? { action: (rest: string) => this.enqueue(shell, () => shell.command(`.${word} ${rest}`)) }
          : undefined,
    });
    Object.defineProperty(server, 'commands', { value: commands });
  }

  private lines(shell: Shell, text: string, done: Done): void {
    if (this.buffered === '' && text.trim().startsWith('\\')) {
      this.server?.clearBufferedCommand();
      return this.enqueue(shell, () => shell.command(text.trim()));
    }
    // What was pasted may have many lines: those that end nothing are not looked at.
    if (this.buffered !== '' && !/;|\*\//.test(text.slice(this.buffered.length))) {
      this.buffered = text;
      return goesOn(done);
    }
    const { whole, rest } = splitStatements(text);
    const fresh = whole.slice(this.taken);
    const isWhole = isBlank(rest);
    this.buffered = isWhole ? '' : text;
    this.taken = isWhole ? 0 : whole.length;
    // Before the callback: lines that were pasted come at once, and must find what they belong to.
    if (isWhole) this.server?.clearBufferedCommand();
    for (const statement of fresh) this.enqueue(shell, () => shell.statement(statement));
    if (!isWhole) goesOn(done);
    else if (fresh.length === 0) this.server?.displayPrompt();
  }

  /** One after another, each with its error. */
  private enqueue(shell: Shell, run: () => Promise<void>): void {
    this.working++;
    this.work = this.work.then(async () => {
      if (!shell.left)
        await run().catch((error: unknown) => void this.options.output.write(this.options.failure(error)));
      this.working--;
      if (shell.left) this.server?.close();
      else if (this.working === 0) this.server?.displayPrompt();
    });
  }

  private interrupted(server: REPLServer, shell: Shell): void {
    if (shell.interrupt()) return;
    this.buffered = '';
    this.taken = 0;
    server.clearBufferedCommand();
    // What stands in the line goes, as in any shell.
    server.write(null as unknown as string, { ctrl: true, name: 'e' });
    server.write(null as unknown as string, { ctrl: true, name: 'u' });
    this.options.output.write('^C\n');
    if (this.working === 0) server.displayPrompt();
  }

  private history(server: REPLServer, env: Io['env']): Promise<void> {
    const path = env['STREAMSQL_HISTORY'] ?? join(homedir(), '.streamsql_history');
    // Without a place for it there is none, and that is all.
    return new Promise((resolve) => server.setupHistory(path, () => resolve()));
  }
}

const goesOn = (done: Done): void =>
  done(new Recoverable(new Error('the statement goes on to its semicolon')), undefined);
