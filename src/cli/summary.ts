import { relative } from 'node:path';
import { ident } from '../base/sql.ts';
import type { RunSummary } from '../base/run.ts';
import { printable } from './printable.ts';
import type { Style } from './style.ts';
import { count, counted, duration } from './units.ts';
import { displayWidth, padEnd, padStart } from './width.ts';

export interface SummaryContext {
  readonly db: string;
  readonly cwd: string;
  /** What a person types to start streamsql. */
  readonly command: string;
  readonly style: Style;
}

/** What a run did, for people: by source, by view, how fast, and where the results are. */
export function summaryText(summary: RunSummary, { db, cwd, command, style }: SummaryContext): string {
  const { sources, views, seconds, rowsIn, rowsPerSecond, epochs } = summary;
  const how = summary.interrupted ? style.yellow('stopped') : style.green('done');
  const lines = [
    `${how}: ${counted(rowsIn, 'row')} in ${duration(seconds)} (${count(rowsPerSecond)} rows/s, ${counted(epochs, 'epoch')})`,
  ];
  const entries = [...sources.map(({ name, rows }) => ({ name, rows })), ...views];
  const nameWidth = Math.max(0, ...entries.map(({ name }) => displayWidth(printable(name))));
  const rowWidth = Math.max(0, ...entries.map(({ rows }) => count(rows).length));
  const entry = (kind: string, name: string, rows: number): string =>
    `  ${kind} ${padEnd(printable(name), nameWidth)}  ${padStart(count(rows), rowWidth)} ${rows === 1 ? 'row' : 'rows'}`;
  for (const { name, rows, late, deadLetters, skipped, firstReason } of sources) {
    const first = firstReason === undefined ? '' : ` (the first: ${printable(firstReason)})`;
    const dead = deadLetters === 0 ? '' : style.yellow(`, ${counted(deadLetters, 'dead letter')}${first}`);
    const lost = skipped === 0 ? '' : style.yellow(`, ${count(skipped)} positions lost`);
    lines.push(entry('source', name, rows) + lateText(late, style) + dead + lost);
  }
  for (const { name, rows, late } of views) lines.push(entry('view  ', name, rows) + lateText(late, style));
  if (db !== ':memory:') lines.push(...whereText(db, cwd, command, summary, style));
  return `${lines.join('\n')}\n`;
}

const lateText = (late: number, style: Style): string => (late === 0 ? '' : style.yellow(`, ${count(late)} late`));

function whereText(db: string, cwd: string, command: string, { views, ...rest }: RunSummary, style: Style): string[] {
  const path = shellWord(shortPath(db, cwd));
  const ask = (sql: string): string => `  ${style.bold(`${command} query ${path} ${shellQuoted(sql)}`)}`;
  const lines = [`the results are in ${printable(shortPath(db, cwd))}; to query them:`];
  const view = views[0];
  if (view !== undefined) lines.push(ask(`SELECT * FROM ${nameInSql(view.name)} LIMIT 10`));
  if (rest.late > 0) lines.push(ask('SELECT * FROM _streamsql.late LIMIT 10'));
  if (rest.deadLetters > 0) lines.push(ask('SELECT * FROM _streamsql.dead_letters LIMIT 10'));
  return lines.length === 1 ? [`the results are in ${printable(shortPath(db, cwd))}`] : lines;
}

/** Relative where it is below the current folder. */
export function shortPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return path.startsWith('/') && !short.startsWith('..') && short !== '' ? short : path;
}

const nameInSql = (name: string): string => (/^[a-z_][a-z0-9_]*$/i.test(name) ? name : ident(name).text);

const shellWord = (word: string): string => (/^[\w./:@%+=,-]+$/.test(word) ? word : shellQuoted(word));

/** In the quotes that people know; single ones where the text has what a shell would read in double ones. */
const shellQuoted = (text: string): string =>
  /["$`\\!]/.test(text) ? `'${printable(text).replaceAll("'", `'\\''`)}'` : `"${printable(text)}"`;
