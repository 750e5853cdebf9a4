import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import type { Io } from './io.ts';

/** `streamsql` or `streamsql DB` will be the interactive session; all else is a misspelt command. Throws USAGE. */
export function noCommand(words: readonly string[], io: Io, commands: readonly string[]): never {
  const [word] = words;
  const help = `${io.command} --help lists the commands`;
  if (word === undefined) throw new StreamsqlError('USAGE', 'there is no interactive session yet', { hint: help });
  if (/\.sql$/i.test(word)) {
    throw new StreamsqlError('USAGE', `${word} is no command`, { hint: `to run it: ${io.command} run ${word}` });
  }
  if (word === ':memory:' || /\.(?:duckdb|db)$/i.test(word) || existsSync(resolve(io.cwd, word))) {
    throw new StreamsqlError('USAGE', 'there is no interactive session yet', {
      hint: `to ask a database: ${io.command} query ${word} "SELECT …"`,
    });
  }
  const near = nearest(word, commands);
  throw new StreamsqlError('USAGE', `${word} is no command`, {
    hint: near === undefined ? help : `did you mean ${near}?`,
  });
}
