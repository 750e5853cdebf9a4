import { StreamsqlError } from '../base/errors.ts';
import { ident } from '../base/sql.ts';
import { nearest } from '../base/options.ts';
import { MODES, type Mode } from './shell-settings.ts';
import type { Shell } from './shell.ts';
import { unquoted } from './split.ts';

export interface Command {
  /** As it is typed; psql's way of saying it beside ours. */
  readonly names: readonly string[];
  readonly takes: string;
  readonly doc: string;
  run(shell: Shell, argument: string): void | Promise<void>;
}

export const COMMANDS: readonly Command[] = [
  { names: ['.help', '\\?'], takes: '', doc: 'this list', run: (shell) => shell.write(helpText()) },
  {
    names: ['.tables', '\\dt'],
    takes: '',
    doc: 'sources, tables, views and sinks',
    run: (shell) => shell.tables(),
  },
  {
    names: ['\\d'],
    takes: '[NAME]',
    doc: 'the columns of NAME, or what there is',
    run: (shell, name) =>
      name === ''
        ? shell.tables()
        : shell.statement(`DESCRIBE ${/\s/.test(unquoted(name)) ? ident(unquoted(name)).text : name}`),
  },
  {
    names: ['.schema'],
    takes: '[NAME]',
    doc: 'how NAME, or everything, was declared',
    run: (shell, name) =>
      name === '' ? shell.write(shell.session.script.text) : shell.write(`${shell.session.textOf(unquoted(name))};\n`),
  },
  { names: ['.jobs'], takes: '', doc: 'what runs, as SHOW JOBS', run: (shell) => shell.statement('SHOW JOBS') },
  {
    names: ['.watch'],
    takes: 'NAME',
    doc: 'rows of a source as they come, a view as it changes; Ctrl-C ends it',
    run: (shell, name) => shell.watch(needed(name, '.watch NAME')),
  },
  {
    names: ['.step'],
    takes: '',
    doc: 'one epoch by hand, and the delta of each operator; RESUME goes on',
    run: (shell) => shell.step(),
  },
  {
    names: ['.read', '\\i'],
    takes: 'FILE',
    doc: 'run a file of statements and commands',
    run: (shell, file) => shell.readFile(needed(file, '.read FILE')),
  },
  {
    names: ['.save'],
    takes: 'FILE',
    doc: 'write what was declared as a file for streamsql run',
    run: (shell, file) => shell.saveAs(needed(file, '.save FILE')),
  },
  {
    names: ['.mode'],
    takes: '[MODE]',
    doc: `how rows are shown: ${MODES.join(', ')}; changelog: each change of what is watched`,
    run: setMode,
  },
  {
    names: ['\\x'],
    takes: '',
    doc: 'a line for each column, or a table again',
    run: (shell) => {
      shell.settings.mode = shell.settings.mode === 'line' ? 'table' : 'line';
      shell.said(`mode: ${shell.settings.mode}`);
    },
  },
  {
    names: ['.output', '\\o'],
    takes: '[FILE]',
    doc: 'results go into FILE; without it, here again',
    run: (shell, file) => shell.outputInto(file === '' ? undefined : file),
  },
  {
    names: ['.timer', '\\timing'],
    takes: '[on|off]',
    doc: 'say how long each statement took',
    run: (shell, word) => {
      if (!['', 'on', 'off'].includes(word)) throw usage('.timer on, or .timer off');
      shell.settings.timer = word === '' ? !shell.settings.timer : word === 'on';
      shell.said(`timer: ${shell.settings.timer ? 'on' : 'off'}`);
    },
  },
  {
    names: ['.maxrows'],
    takes: '[N]',
    doc: 'show so many rows of a result',
    run: (shell, text) => {
      if (text !== '' && !/^[1-9]\d{0,8}$/.test(text)) throw usage('.maxrows takes a whole number of at least 1');
      if (text !== '') shell.settings.maxRows = Number(text);
      else shell.write(`${shell.settings.maxRows}\n`);
    },
  },
  {
    names: ['.exit', '.quit', '\\q'],
    takes: '',
    doc: 'leave, as Ctrl-D does',
    run: (shell) => {
      shell.left = true;
    },
  },
];

/** The command of a word; throws USAGE with the near miss where there is none. */
export function findCommand(word: string): Command {
  const found = COMMANDS.find(({ names }) => names.includes(word.replace(/;$/, '').toLowerCase()));
  if (found !== undefined) return found;
  const near = nearest(word, COMMANDS.flatMap(({ names }) => names)); // prettier-ignore
  throw new StreamsqlError('USAGE', `there is no command ${word}`, {
    hint: near === undefined ? '.help lists them' : `did you mean ${near}?`,
  });
}

function setMode(shell: Shell, word: string): void {
  if (word === '') return shell.write(`${shell.settings.mode}\n`);
  const mode = MODES.find((known) => known === word.toLowerCase());
  if (mode === undefined) {
    const near = nearest(word, MODES);
    throw usage(`.mode takes ${MODES.join(', ')}`, near === undefined ? undefined : `did you mean ${near}?`);
  }
  shell.settings.mode = mode satisfies Mode;
}

function needed(argument: string, how: string): string {
  if (argument === '') throw usage(how);
  return argument;
}

const usage = (message: string, hint?: string): StreamsqlError => new StreamsqlError('USAGE', message, { hint });

function helpText(): string {
  const lines = COMMANDS.map(({ names, takes, doc }) => [`${names.join(', ')} ${takes}`.trimEnd(), doc] as const);
  const width = Math.max(...lines.map(([left]) => left.length));
  const statements = [
    'CREATE SOURCE, TABLE, MATERIALIZED VIEW, SINK …;   declares it; what is to run runs in the background',
    'SELECT … FROM a view;                              a snapshot after the last epoch',
    'SELECT … FROM a source;                            goes on until Ctrl-C',
    'SHOW JOBS; PAUSE [NAME]; RESUME [NAME]; DROP …;    what runs',
  ];
  return `${[...statements, '', ...lines.map(([left, doc]) => `${left.padEnd(width)}  ${doc}`)].join('\n')}\n`;
}
