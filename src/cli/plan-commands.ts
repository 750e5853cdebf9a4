import type { Engine } from '../base/run.ts';
import type { Dependencies } from './dependencies.ts';
import { pointing } from './failure.ts';
import type { Io } from './io.ts';
import { printableLines } from './printable.ts';
import { readSqlFile } from './sql-file.ts';

export interface ExplainFlags {
  readonly format: 'text' | 'json';
  readonly analyze?: boolean;
  readonly variable: Readonly<Record<string, string>>;
}

/** `streamsql explain FILE`: the plan of all that the file declares. */
export async function explainCommand(file: string, flags: ExplainFlags, io: Io, calls: Dependencies): Promise<number> {
  const { format, analyze, variable } = flags;
  await planned(file, variable, io, calls, async (engine) => {
    const plan = await engine.explain({ format, analyze: analyze === true });
    io.stdout.write(`${io.stdout.isTTY ? printableLines(plan) : plan}\n`);
  });
  return 0;
}

/** `streamsql validate FILE`: plans everything and touches nothing. */
export async function validateCommand(
  file: string,
  flags: { readonly variable: Readonly<Record<string, string>> },
  io: Io,
  calls: Dependencies,
): Promise<number> {
  await planned(file, flags.variable, io, calls, async (engine, name) => {
    await engine.explain();
    io.stdout.write(`${name} is valid\n`);
  });
  return 0;
}

/** An engine in memory in which the file is declared. */
async function planned(
  file: string,
  variables: Readonly<Record<string, string>>,
  io: Io,
  calls: Dependencies,
  use: (engine: Engine, name: string) => Promise<void>,
): Promise<void> {
  const sqlFile = await readSqlFile(file, io);
  await pointing(sqlFile, async () => {
    const { name, text, stem } = sqlFile;
    const engine = await calls.open({ cwd: io.cwd, variables, ...(stem !== undefined && { stem }) });
    try {
      await engine.sql(text, name);
      await use(engine, name);
    } finally {
      await engine.close();
    }
  });
}
