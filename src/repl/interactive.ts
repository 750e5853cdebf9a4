import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RunSummary } from '../base/run.ts';
import { failureText } from '../cli/failure.ts';
import type { Dependencies } from '../cli/dependencies.ts';
import type { Io, Output } from '../cli/io.ts';
import { namedDatabase } from '../cli/results-database.ts';
import { StreamTables } from '../cli/stream-table.ts';
import { styleFor } from '../cli/style.ts';
import { count } from '../cli/units.ts';
import { sinks, sources } from '../connectors/registry.ts';
import { version } from '../exec/version.ts';
import type { Known } from './completion.ts';
import { Session } from './session.ts';
import { Shell } from './shell.ts';
import { Terminal } from './terminal.ts';

export interface InteractiveFlags {
  readonly variable: Readonly<Record<string, string>>;
  /** Runs these instead of asking for statements. */
  readonly command?: readonly string[] | undefined;
}

/** `streamsql [DB]`: a session at the terminal; a script where standard input is none, or the SQL of `-c`. */
export async function interactive(
  db: string | undefined,
  flags: InteractiveFlags,
  io: Io,
  calls: Dependencies,
): Promise<number> {
  if (flags.command === undefined && process.stdin.isTTY) return atTerminal(db, flags, io, calls);
  return asScript(flags.command ?? [await io.readStdin()], db, flags, io, calls);
}

const open = (
  db: string | undefined,
  flags: InteractiveFlags,
  io: Io,
  calls: Dependencies,
  out: Output,
  failed: (error: unknown) => void,
): Promise<Session> => {
  const rows = new StreamTables();
  const style = styleFor(out, io.env);
  return Session.open({
    open: (options) => calls.open({ ...options, stdinIsSql: true }),
    ...(db !== undefined && db !== ':memory:' && { db: databaseOf(db, io) }),
    io,
    variables: flags.variable,
    listener: {
      rows: (sink, table) => out.write(rows.text(sink, table)),
      warning: (message) => (out.isTTY ? out : io.stderr).write(`${style.yellow('warning')}: ${message}\n`),
      failed,
      finished: (summary) => out.isTTY && out.write(`${style.dim(finishedText(summary))}\n`),
    },
  });
};

/** Of a state folder its database, which there must be. */
function databaseOf(db: string, io: Io): string {
  const path = resolve(io.cwd, db);
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? namedDatabase(db, io).db : path;
}

const finishedText = ({ rowsIn, late, deadLetters }: RunSummary): string =>
  `the input has ended: ${count(rowsIn)} rows${late > 0 ? `, ${count(late)} late` : ''}${deadLetters > 0 ? `, ${count(deadLetters)} dead letters` : ''}`;

async function atTerminal(
  db: string | undefined,
  flags: InteractiveFlags,
  io: Io,
  calls: Dependencies,
): Promise<number> {
  const failure = (thrown: unknown): string => failureText(thrown, styleFor(io.stdout, io.env), false);
  const terminal: Terminal = new Terminal({
    input: process.stdin,
    output: process.stdout,
    env: io.env,
    failure,
    known: () => ({ ...known(session), declared: [...session.declared, ...others] }),
  });
  const session: Session = await open(db, flags, io, calls, terminal, (error) => terminal.write(failure(error)));
  const others = await session.found().catch(() => []);
  const shell = new Shell(session, { io, out: terminal, interactive: true });
  const leave = (): void => {
    shell.left = true;
    shell.interrupt();
    terminal.close();
  };
  // The terminal is gone, or someone ends the process: what runs ends in good order.
  process.once('SIGHUP', leave);
  const dispose = io.onStop((why) => why !== 'SIGINT' && leave());
  try {
    process.stdout.write(
      `streamsql ${version()}, ${db === undefined || db === ':memory:' ? 'in memory: nothing is kept' : db}; .help for help\n`,
    );
    void session.apply().catch((error: unknown) => terminal.write(failure(error)));
    await terminal.run(shell);
    return 0;
  } finally {
    dispose();
    process.off('SIGHUP', leave);
    await session.close();
  }
}

async function asScript(
  scripts: readonly string[],
  db: string | undefined,
  flags: InteractiveFlags,
  io: Io,
  calls: Dependencies,
): Promise<number> {
  let failed: { readonly error: unknown } | undefined;
  const session = await open(db, flags, io, calls, io.stdout, (error) => (failed ??= { error }));
  const shell = new Shell(session, { io, out: io.stdout, interactive: false });
  const stopped = new Promise<void>((done) => {
    io.onStop(() => {
      shell.left = true;
      shell.interrupt();
      done();
    });
  });
  try {
    for (const script of scripts) await shell.script(script);
    await Promise.race([shell.settled(), stopped]);
    if (failed !== undefined) throw failed.error;
    if (session.running?.isLive === true && session.declared.some(({ kind }) => kind === 'source'))
      io.stderr.write(`the input goes on; this took what there was. To keep it running: ${io.command} run FILE.sql\n`);
    return 0;
  } finally {
    await session.close();
  }
}

const known = (session: Session): Known => ({
  declared: session.declared,
  sources: Object.fromEntries(sources.map(({ name, options }) => [name, options])),
  sinks: Object.fromEntries(sinks.map(({ name, options }) => [name, options])),
});
