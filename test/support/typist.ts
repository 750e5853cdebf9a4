import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';

const SCRIPT = resolve(import.meta.dirname, '../../scripts/streamsql.ts');
const PATIENCE_MS = 30_000;

/** Why no terminal can be had here; undefined where one can. */
export const noTerminal: string | undefined = spawnSync('script', ['--version'])
  .stdout?.toString()
  .includes('util-linux')
  ? undefined
  : 'there is no `script` of util-linux here';

/** Someone at a real terminal, a pseudo-terminal that `script` makes, in which streamsql runs. */
export class Typist {
  /** Those that may still be at their terminals. */
  private static readonly all = new Set<Typist>();
  readonly child: ChildProcess;
  /** All that the terminal was sent, without what moves and colours. */
  private seen = '';
  /** Up to here it has been looked at. */
  private readTo = 0;

  constructor(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
    const command = [process.execPath, SCRIPT, ...args].map((word) => `'${word}'`).join(' ');
    const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
    this.child = spawn('script', ['-qfec', `stty cols 100 rows 40; exec ${command}`, '/dev/null'], {
      cwd,
      env: { ...own, INIT_CWD: cwd, TERM: 'xterm', STREAMSQL_HISTORY: resolve(cwd, 'history'), ...env },
    });
    Typist.all.add(this);
    this.child.stdout?.on('data', (bytes) => (this.seen += stripVTControlCharacters(String(bytes))));
  }

  /** Types a line. */
  line(text: string): void {
    this.key(`${text}\r`);
  }

  key(keys: string): void {
    this.child.stdin?.write(keys);
  }

  /** Waits until the terminal shows it, after what was waited for before. */
  async sees(wanted: RegExp): Promise<string> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = wanted.exec(this.seen.slice(this.readTo));
      if (found !== null) {
        this.readTo += found.index + found[0].length;
        return found[0];
      }
      if (Date.now() > until || this.child.exitCode !== null)
        throw new Error(`the terminal does not show ${String(wanted)}, but\n${this.seen.slice(this.readTo)}`);
      await sleep(20);
    }
  }

  /** Types a statement and waits for what it shows, and for the next prompt. */
  async asks(text: string, wanted: RegExp): Promise<string> {
    this.line(text);
    const shown = await this.sees(wanted);
    await this.sees(/streamsql> $/);
    return shown;
  }

  /** Takes the terminals away: for a test that has failed, so that nothing goes on behind it. */
  static leave(): void {
    for (const { child } of Typist.all) child.kill();
    Typist.all.clear();
  }

  ended(): Promise<number | null> {
    return new Promise((done) => {
      if (this.child.exitCode !== null) return done(this.child.exitCode);
      this.child.on('close', done);
    });
  }
}

export const CTRL_C = '\x03';
export const CTRL_D = '\x04';
