import { setTimeout as sleep } from 'node:timers/promises';
import { aborted } from '../base/abort.ts';
import { withSpan } from '../base/errors.ts';
import { ident } from '../base/sql.ts';
import type { Engine, ResultTable } from '../base/run.ts';
import { formatTable } from '../cli/format.ts';
import type { Io, Output } from '../cli/io.ts';
import { StreamTables } from '../cli/stream-table.ts';
import type { Job } from './job.ts';
import { LiveTable } from './live-table.ts';
import { formatOf, resultText, type ShellSettings } from './shell-settings.ts';

/** Where rows that keep coming are shown, and how. */
export interface Showing {
  readonly output: Output;
  readonly env: Io['env'];
  readonly now: () => number;
  readonly settings: ShellSettings;
  /** Aborts when the person has seen enough. */
  readonly signal: AbortSignal;
}

/** Shows the rows of a SELECT over a source as they come, or its changing result in place, until its input ends or it is enough. */
export async function showSelect(engine: Engine, select: string, showing: Showing): Promise<void> {
  const { settings, signal } = showing;
  const before = new Set(engine.declared.map(({ name }) => name));
  if (settings.mode === 'changelog') await asSink(engine, select, before);
  else await engine.sql(select, '<input>');
  const changing = engine.declared.find(({ name, kind }) => kind === 'materialized view' && !before.has(name));
  if (changing === undefined) {
    const rows = rowPrinter(showing);
    await engine.run({ signal, onEvent: (event) => event.event === 'rows' && rows(event.table) });
    return;
  }
  const picture = new Picture(showing, () => engine.query(inOrder(changing.name, settings, changing.order)));
  await engine.run({ signal, onEvent: (event) => event.event === 'epoch' && picture.changed() });
  await picture.end();
}

async function asSink(engine: Engine, select: string, taken: ReadonlySet<string>): Promise<void> {
  const name = ['changes', 'changes$', 'changes$$'].find((each) => !taken.has(each)) ?? '';
  const head = `CREATE SINK ${name} WITH (connector = 'print') AS `;
  try {
    await engine.sql(head + select, '<input>');
  } catch (error) {
    // What is wrong with the head itself points at the first character.
    throw withSpan(error, (span) => span && { start: Math.max(0, span.start - head.length), end: Math.max(1, span.end - head.length) }); // prettier-ignore
  }
}

/** Shows a view, or a table, of the run in the background: in place, or what each epoch changes of it. */
export async function watchView(job: Job, name: string, showing: Showing): Promise<void> {
  const { settings, signal } = showing;
  const over = Promise.race([aborted(signal), job.ending]);
  if (settings.mode === 'changelog') {
    const stop = job.control.watch(name, rowPrinter(showing));
    await over;
    return stop();
  }
  const picture = new Picture(showing, () => job.engine.query(inOrder(name, settings)));
  const stop = job.onChange(() => picture.changed());
  picture.changed();
  await over;
  stop();
  await picture.end();
}

/** How often a database that another process changes is asked, ms. */
const ASK_MS = 500;

/** Shows a table of a database that another process changes. */
export async function watchHeld(
  ask: (sql: string) => Promise<ResultTable>,
  name: string,
  showing: Showing,
): Promise<void> {
  const { settings, signal } = showing;
  const picture = new Picture(showing, () => ask(inOrder(name, settings)));
  while (!signal.aborted) {
    picture.changed();
    await sleep(ASK_MS, undefined, { signal }).catch(() => undefined);
  }
  await picture.end();
}

const inOrder = (name: string, { maxRows }: ShellSettings, order = 'ALL'): string =>
  `SELECT * FROM ${ident(name).text} ORDER BY ${order} LIMIT ${maxRows + 1}`;

/** Rows one after another, under one header. */
function rowPrinter({ output, settings }: Showing): (table: ResultTable) => void {
  const format = formatOf(settings);
  const streams = new StreamTables();
  let isFirst = true;
  return (table) => {
    const header = isFirst;
    isFirst = false;
    if (format === 'table') return output.write(streams.text('rows', table));
    const text = formatTable(table, format, output);
    output.write(format === 'csv' && !header ? text.slice(text.indexOf('\n') + 1) : text);
  };
}

/** A result that is drawn again as it changes; one query at a time. */
class Picture {
  private readonly showing: Showing;
  private readonly live: LiveTable;
  private readonly ask: () => Promise<ResultTable>;
  private drawing: Promise<void> = Promise.resolve();
  private isDrawing = false;

  constructor(showing: Showing, ask: () => Promise<ResultTable>) {
    this.showing = showing;
    this.ask = ask;
    this.live = new LiveTable(showing.output, showing.env, showing.now);
  }

  changed(): void {
    if (this.isDrawing || !this.live.due) return;
    this.isDrawing = true;
    // A result that cannot be asked just now is asked again at the next change, and at the end.
    this.drawing = this.draw()
      .catch(() => undefined)
      .finally(() => (this.isDrawing = false));
  }

  async end(): Promise<void> {
    await this.drawing;
    await this.draw();
    this.live.end();
  }

  private async draw(): Promise<void> {
    const { output, settings } = this.showing;
    this.live.draw(headText(await this.ask(), settings, output));
  }
}

/** The first rows of a table, as many as are to be shown, and that there are more. */
export function headText(table: ResultTable, settings: ShellSettings, output: Output): string {
  const rows = table.rows.slice(0, settings.maxRows);
  const text = resultText({ ...table, rows }, settings, output);
  if (table.rows.length <= settings.maxRows) return text;
  return `${text.replace(/\(\d+ rows\)\n$/, '')}… more rows; .maxrows N shows more, .output FILE takes all\n`;
}
