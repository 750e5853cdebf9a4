import { failureText } from './cli/failure.ts';
import { main } from './cli/main.ts';
import { flushed, processIo } from './cli/process-io.ts';
import { styleFor } from './cli/style.ts';

/** Runs the process's own command line and ends the process. `command` is what a person typed to get here. */
export async function start(command: string): Promise<void> {
  await startWith(command, process.argv.slice(2));
}

/** The same with the given arguments. */
export async function startWith(command: string, args: readonly string[]): Promise<void> {
  const io = processIo(command);
  const bug = (thrown: unknown): void => {
    io.stderr.write(failureText(thrown, styleFor(io.stderr, io.env), args.includes('--verbose')));
    void flushed().then(() => process.exit(3));
  };
  process.on('uncaughtException', bug);
  process.on('unhandledRejection', bug);
  const code = await main(args, io, {
    open: async (options) => {
      const [{ open }, { faultOf }] = await Promise.all([import('./engine.ts'), import('./base/fault.ts')]);
      return open(options, { fault: faultOf(process.env['STREAMSQL_FAULT']) });
    },
    runTests: async (paths, options) => (await import('./testing/run-tests.ts')).runTests(paths, options),
  });
  await flushed();
  process.exit(code);
}
