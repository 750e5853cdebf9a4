import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import type { Io } from './io.ts';

/** What `streamsql [DB]` opens: a database's path, or nothing for one in memory. Throws USAGE where it is a misspelt command. */
export function sessionDatabase(words: readonly string[], io: Io, commands: readonly string[]): string | undefined {
  const [word, more] = words;
  const help = `${io.command} --help lists the commands`;
  if (word === undefined) return undefined;
  if (/\.sql$/i.test(word)) {
    throw new StreamsqlError('USAGE', `${word} is no command`, { hint: `to run it: ${io.command} run ${word}` });
  }
  const isDatabase = word === ':memory:' || /\.(?:duckdb|db)$/i.test(word) || existsSync(resolve(io.cwd, word));
  if (isDatabase && more === undefined) return word;
  if (isDatabase) {
    throw new StreamsqlError('USAGE', `a session takes one database; ${more} is too much`, {
      hint: `to ask one thing: ${io.command} ${word} -c "SELECT …"`,
    });
  }
  const near = nearest(word, commands);
  throw new StreamsqlError('USAGE', `${word} is no command`, {
    hint: near === undefined ? help : `did you mean ${near}?`,
  });
}
