import { Option, type Command } from 'commander';
import { StreamsqlError } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { FORMATS, type Format } from './format.ts';
import type { Io } from './io.ts';
import { positiveInteger, wholeNumber } from './option-values.ts';
import type { StateShowFlags } from './state-show.ts';

/** `streamsql state ls` and `streamsql state show`. `examples` makes the end of a help. */
export function addStateCommands(
  program: Command,
  io: Io,
  examples: (lines: readonly string[]) => string,
  done: (code: number) => void,
): void {
  const state = program
    .command('state')
    .description('look into a state folder: checkpoints and what they hold')
    .usage('COMMAND [options]')
    .argument('[words...]')
    .action((words: readonly string[]) => noStateCommand(words, io));
  state.addHelpText('after', examples(['state ls demo.state', 'state show demo.state --view hot']));

  state
    .command('ls')
    .description('list the checkpoints; the folder is only read, also while a run goes on')
    .argument('<DIR>', 'the state folder of a run')
    .addOption(format())
    .addHelpText('after', examples(['state ls demo.state', 'state ls demo.state --format csv']))
    .action(async (dir: string, flags: { format: Format }) => {
      const { stateLsCommand } = await import('./state-ls.ts');
      done(stateLsCommand(dir, flags, io));
    });

  state
    .command('show')
    .description('show what a checkpoint holds; the folder is only read, also while a run goes on')
    .argument('<DIR>', 'the state folder of a run')
    .option('--view <NAME>', 'the rows of the state of this view, sink, table or source')
    .option('--checkpoint <EPOCH>', 'the checkpoint of this epoch (default: the newest that is whole)', wholeNumber)
    .addOption(new Option('--limit <N>', 'the most rows of a table').argParser(positiveInteger).default(100))
    .addOption(format())
    .addHelpText(
      'after',
      examples([
        'state show demo.state',
        'state show demo.state --view hot --limit 10',
        'state show demo.state --checkpoint 812 --format json',
      ]),
    )
    .action(async (dir: string, flags: StateShowFlags) => {
      const { stateShowCommand } = await import('./state-show.ts');
      done(await stateShowCommand(dir, flags, io));
    });
}

const format = (): Option => new Option('--format <FORMAT>', 'how to print').choices(FORMATS).default('table');

function noStateCommand([word]: readonly string[], io: Io): never {
  const help = `${io.command} state --help`;
  if (word === undefined) throw new StreamsqlError('USAGE', 'state takes ls or show', { hint: `see ${help}` });
  const near = nearest(word, ['ls', 'show']);
  throw new StreamsqlError('USAGE', `${word} is no command of state: there are ls and show`, {
    hint: near === undefined ? `to look into a folder: ${io.command} state ls ${word}` : `did you mean ${near}?`,
  });
}
