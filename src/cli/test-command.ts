import type { Dependencies } from './dependencies.ts';
import type { Io } from './io.ts';
import { styleFor } from './style.ts';
import { count } from './units.ts';

/** `streamsql test PATH…`: runs `*.test.sql` files; 1 where an expectation does not hold. */
export async function testCommand(
  paths: readonly string[],
  flags: { readonly update?: boolean },
  io: Io,
  calls: Dependencies,
): Promise<number> {
  const style = styleFor(io.stdout, io.env);
  const color = style.red('') !== '';
  const { passed, failed } = await calls.runTests(paths, {
    update: flags.update === true,
    onLine: (text) => io.stdout.write(`${text}\n`),
    color,
  });
  const failures = `${count(failed)} failed`;
  io.stdout.write(`${count(passed)} passed, ${failed === 0 ? failures : style.red(failures)}\n`);
  return failed === 0 ? 0 : 1;
}
