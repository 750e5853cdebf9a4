import { CommanderError, type Command } from 'commander';
import { StreamsqlError } from '../base/errors.ts';
import type { Dependencies } from './dependencies.ts';
import { failureOf, failureText } from './failure.ts';
import type { Io } from './io.ts';
import { buildProgram } from './program.ts';
import { styleFor } from './style.ts';

/** Runs one command line (without node and script); resolves with the exit code, whatever happens. */
export async function main(args: readonly string[], io: Io, calls: Dependencies): Promise<number> {
  let code = 0;
  try {
    const program = buildProgram(io, calls, (result) => (code = result));
    for (const command of withCommands(program)) command.exitOverride();
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (thrown) {
    // --help and --version end in an exception too.
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    const error = thrown instanceof CommanderError ? usageError(thrown, args, io) : thrown;
    io.stderr.write(failureText(error, styleFor(io.stderr, io.env), args.includes('--verbose')));
    return failureOf(error).error.exitCode;
  }
}

const withCommands = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(withCommands)];

/** What commander says, as one of ours: its message without "error:", its "(Did you mean …?)" as the hint. */
function usageError(thrown: CommanderError, args: readonly string[], io: Io): StreamsqlError {
  const [message = '', near] = thrown.message.replace(/^error: /, '').split(/\n(?=\(Did you mean)/);
  const [command] = args;
  if (thrown.code === 'commander.excessArguments' && command === 'query') {
    return new StreamsqlError('USAGE', 'query takes a database and one SQL text', {
      hint: `put the SQL in quotes: ${io.command} query ${args[1] ?? 'DB'} "SELECT …"`,
      cause: thrown,
    });
  }
  const help = `${io.command} --help`;
  return new StreamsqlError(
    'USAGE',
    message.replace(/\.$/, '').replace(' is invalid. it takes', ' is invalid: it takes'),
    {
      hint: near === undefined ? `see ${help}` : near.replace(/^\(Did you mean (.*)\?\)$/s, 'did you mean $1?'),
      cause: thrown,
    },
  );
}
