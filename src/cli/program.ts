import { Command, Option } from 'commander';
import type { Dependencies } from './dependencies.ts';
import { FORMATS, type Format } from './format.ts';
import type { Io } from './io.ts';
import { sessionDatabase } from './no-command.ts';
import { durationMs, memorySize, names, positiveInteger, variable } from './option-values.ts';
import { explainCommand, validateCommand, type ExplainFlags } from './plan-commands.ts';
import { runCommand, type RunFlags } from './run.ts';
import { addStateCommands } from './state-program.ts';
import type { StatusFlags } from './status.ts';
import { testCommand } from './test-command.ts';
import type { InteractiveFlags } from '../repl/interactive.ts';
import { version } from '../exec/version.ts';

/** The commands and their options. `done` gets the exit code of the one that ran. */
export function buildProgram(io: Io, calls: Dependencies, done: (code: number) => void): Command {
  const program = new Command('streamsql')
    .description('Streaming SQL: continuous SELECTs over Kafka and files, kept as DuckDB tables.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    // After a command its own options count, which have the same letters.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      // What goes wrong is thrown, and said once by whoever catches it.
      writeErr: () => undefined,
      getOutHelpWidth: () => (io.stdout.isTTY ? io.stdout.columns : 100),
      getOutHasColors: () => false,
    })
    .argument('[DB...]', 'open a session: statements are taken one by one, in memory or on this database')
    .option('-c, --command <SQL>', 'run these statements instead of asking for some; may be repeated', names)
    .addOption(variables())
    .action(async (words: readonly string[], flags: InteractiveFlags) => {
      const db = sessionDatabase(words, io, commandNames(program));
      const { interactive } = await import('../repl/interactive.ts');
      done(await interactive(db, flags, io, calls));
    });
  program.usage('[DB] | COMMAND [options]');
  program.addHelpText('after', examples(['run queries/demo.sql', 'query demo.duckdb "SHOW TABLES"', 'help run'], io));

  program
    .command('run')
    .description('run a SQL file until its input ends or Ctrl-C')
    .argument('[FILE]', 'a .sql file, or - for standard input')
    .option('-c, --command <SQL>', 'the SQL itself, in place of FILE; keeps no state unless --state says where')
    .option('--db <PATH>', "the results database, or :memory: (default: the file's name with .duckdb, here)")
    .option('--state <DIR>', "the state folder (default: the file's name with .state, here)")
    .option('--batch-interval <MS>', 'the least time between two batches (default: 100)', positiveInteger)
    .option('--max-batch-rows <N>', 'the most rows of a batch', positiveInteger)
    .option('--memory-limit <SIZE>', 'what DuckDB may use before it spills to disk, such as 512MB', memorySize)
    .option('--threads <N>', "DuckDB's threads (default: the number of cores)", positiveInteger)
    .option('--checkpoint-interval <MS>', 'the least time between two checkpoints (default: 10000)', positiveInteger)
    .option('--keep <N>', 'how many checkpoints are kept (default: 3)', positiveInteger)
    .addOption(
      new Option('--no-checkpoint', 'keep no checkpoints: a run that did not finish cannot be resumed').conflicts([
        'checkpointInterval',
        'keep',
      ]),
    )
    .addOption(
      new Option('--on-gap <WHAT>', 'when a source no longer has records that are to be read (default: stop)').choices([
        'stop',
        'skip',
      ]),
    )
    .option('--rebuild <VIEW>', "build a view anew from its sources' start; may be repeated", names)
    .option('--stop-after-epochs <N>', 'stop in good order after so many epochs', positiveInteger)
    .option('--stop-after-rows <N>', 'stop in good order after at least so many rows', positiveInteger)
    .option('--stop-after <DURATION>', 'stop in good order after so long, such as 30s or 2m', durationMs)
    .option('--fresh', 'first remove the results and the state of an earlier run')
    .addOption(variables())
    .option('--json', 'print one JSON object a line on standard output')
    .addOption(new Option('--quiet', 'print only results and errors').conflicts('verbose'))
    .option('--verbose', 'print a line for every epoch, and stacks of errors')
    .addHelpText(
      'after',
      examples(
        [
          'run wordcount.sql',
          'run orders.sql --db /data/orders.duckdb -v BROKERS=localhost:9092',
          'run wordcount.sql --fresh --json > events.jsonl',
          'run orders.sql --checkpoint-interval 2000 --stop-after 1h',
          'run - < wordcount.sql',
          `run -c "CREATE SOURCE l (line VARCHAR) WITH (connector = 'stdin', format = 'raw'); SELECT line FROM l WHERE line LIKE '%ERROR%'" < app.log`,
        ],
        io,
      ),
    )
    .action(async (file: string | undefined, flags: RunFlags) => done(await runCommand(file, flags, io, calls)));

  program
    .command('query')
    .description('ask a results database, also while a run goes on; it is only read')
    .argument('<DB>', 'a database that a run writes or wrote, or its state folder')
    .argument('<SQL>', "DuckDB's SQL, in quotes")
    .addOption(new Option('--format <FORMAT>', 'how to print').choices(FORMATS).default('table'))
    .addHelpText(
      'after',
      examples(
        [
          'query demo.duckdb "SELECT * FROM hot LIMIT 10"',
          'query demo.duckdb "FROM _streamsql.dead_letters" --format line',
          'query demo.duckdb "FROM hot" --format csv > hot.csv',
        ],
        io,
      ),
    )
    .action(async (db: string, sql: string, flags: { format: Format }) => {
      const { queryCommand } = await import('./query.ts');
      done(await queryCommand(db, sql, flags, io));
    });

  program
    .command('status')
    .description('show how the run stands that holds a results database, or what the last one left')
    .argument('<DB>', 'a database that a run writes or wrote, or its state folder')
    .addOption(new Option('--format <FORMAT>', 'how to print').choices(FORMATS).default('table'))
    .addOption(new Option('--json', 'print one JSON object').conflicts('format'))
    .option('--watch', 'again each second, until the run ends or Ctrl-C')
    .addHelpText(
      'after',
      examples(['status demo.duckdb', 'status demo.duckdb --watch', 'status demo.state --json'], io),
    )
    .action(async (db: string, flags: StatusFlags) => {
      const { statusCommand } = await import('./status.ts');
      done(await statusCommand(db, flags, io));
    });

  program
    .command('explain')
    .description('show how a file would run: operators, their state and their SQL')
    .argument('<FILE>', 'a .sql file, or - for standard input')
    .addOption(new Option('--format <FORMAT>', 'how to print').choices(['text', 'json']).default('text'))
    .option('--analyze', 'run the file in memory first, and add rows, statements and time')
    .addOption(variables())
    .addHelpText('after', examples(['explain wordcount.sql', 'explain wordcount.sql --analyze'], io))
    .action(async (file: string, flags: ExplainFlags) => done(await explainCommand(file, flags, io, calls)));

  program
    .command('validate')
    .description('check a file: plans all of it and touches nothing')
    .argument('<FILE>', 'a .sql file, or - for standard input')
    .addOption(variables())
    .addHelpText('after', examples(['validate wordcount.sql'], io))
    .action(async (file: string, flags: Pick<ExplainFlags, 'variable'>) =>
      done(await validateCommand(file, flags, io, calls)),
    );

  program
    .command('test')
    .description('run *.test.sql files')
    .argument('<PATH...>', 'files, and folders to look through')
    .option('--update', 'refill the expected results with what came out, for review')
    .addHelpText('after', examples(['test wordcount.test.sql', 'test tests/ --update'], io))
    .action(async (paths: readonly string[], flags: { update?: boolean }) =>
      done(await testCommand(paths, flags, io, calls)),
    );

  addStateCommands(program, io, (lines) => examples(lines, io), done);
  return program;
}

const variables = (): Option =>
  new Option('-v, --variable <NAME=VALUE>', 'what ${NAME} stands for in the file; may be repeated')
    .argParser(variable)
    .default({}, 'the environment');

const examples = (lines: readonly string[], io: Io): string =>
  `\nExamples:\n${lines.map((line) => `  ${io.command} ${line}\n`).join('')}`;

const commandNames = (program: Command): readonly string[] => [...program.commands.map((c) => c.name()), 'help'];
