import { unreachable, type StreamsqlError, position, type SourceText } from '../base/errors.ts';
import type { Progress, ResultTable, RunEvent, RunSummary, SourceProgress } from '../base/run.ts';
import { jsonText } from './cell.ts';
import { instant } from './units.ts';

/** The lines of `--json` for one event; docs/json-output.md lists them. Keys are snake_case. */
export function jsonLines(event: RunEvent): readonly string[] {
  switch (event.event) {
    case 'start':
      return [
        line({
          event: 'start',
          db: event.db,
          state: event.state ?? null,
          bounded: event.bounded,
          sources: event.sources.map(({ name, connector, bounded }) => ({ name, connector, bounded })),
          views: event.views,
        }),
      ];
    case 'epoch':
    case 'progress':
      return [line({ event: event.event, ...progress(event) })];
    case 'warning':
      return [line({ event: 'warning', message: event.message })];
    case 'resumed': {
      const { checkpoint, epoch } = event;
      return [line({ event: 'resumed', checkpoint, epoch, seconds: seconds(event.seconds) })];
    }
    case 'checkpoint': {
      const { epoch, ms, pausedMs, rows, bytes } = event;
      return [line({ event: 'checkpoint', epoch, ms: millis(ms), paused_ms: millis(pausedMs), rows, bytes })];
    }
    case 'rows':
      return [tableLine({ event: 'rows', sink: event.sink }, event.table)];
    case 'result':
      return [tableLine({ event: 'result', sql: event.sql }, event.table)];
    case 'done':
      return [line(summary(event)), line(done(event))];
    default:
      return unreachable(event);
  }
}

/** The last line of a run that failed. */
export function jsonError(error: StreamsqlError, source: SourceText | undefined): string {
  const at = error.span !== undefined && source !== undefined ? position(source.text, error.span.start) : undefined;
  return line({
    event: 'error',
    code: error.code,
    message: error.message,
    hint: error.hint ?? null,
    file: at === undefined ? null : (source?.name ?? null),
    line: at?.line ?? null,
    column: at?.column ?? null,
  });
}

const line = (value: object): string => `${JSON.stringify(value)}\n`;

function tableLine(head: object, { columns, rows }: ResultTable): string {
  const cells = rows.map((row) => `[${columns.map(({ type }, i) => jsonText(row[i], type)).join(',')}]`);
  const names = columns.map(({ name, type }) => ({ name, type }));
  return `${JSON.stringify({ ...head, columns: names }).slice(0, -1)},"rows":[${cells.join(',')}]}\n`;
}

function progress(event: Progress): object {
  return {
    epoch: event.epoch,
    seconds: seconds(event.seconds),
    rows_in: event.rowsIn,
    rows_per_second: Math.round(event.rowsPerSecond),
    sources: event.sources.map(source),
    sinks: event.sinks.map(({ name, notice }) => ({ name, notice: notice ?? null })),
  };
}

function source(of: SourceProgress): object {
  return {
    name: of.name,
    rows: of.rows,
    late: of.late,
    dead_letters: of.deadLetters,
    skipped: of.skipped,
    first_reason: of.firstReason ?? null,
    done: of.done,
    total: of.total ?? null,
    watermark: of.watermark === undefined ? null : instant(of.watermark),
    held_back_by: of.heldBackBy ?? null,
    held_back_reason: of.heldBackReason ?? null,
    notice: of.notice ?? null,
  };
}

function summary(event: RunSummary): object {
  return {
    event: 'summary',
    epochs: event.epochs,
    interrupted: event.interrupted,
    sources: event.sources.map(source),
    views: event.views.map(({ name, rows, late }) => ({ name, rows, late })),
  };
}

function done(event: RunSummary): object {
  return {
    event: 'done',
    seconds: seconds(event.seconds),
    rows_in: event.rowsIn,
    rows_per_second: Math.round(event.rowsPerSecond),
    late: event.late,
    dead_letters: event.deadLetters,
    // A name such as __proto__ must become a key like any other.
    views: Object.fromEntries(event.views.map(({ name, rows }) => [name, rows])),
  };
}

const millis = (value: number): number => Math.round(value * 1e3) / 1e3;
const seconds = (value: number): number => Math.round(value * 1e6) / 1e6;
