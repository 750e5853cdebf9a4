import { StreamsqlError, type Span } from '../base/errors.ts';
import { parseDuration } from '../base/options.ts';
import type { OpenOptions } from '../base/run.ts';
import { sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';
import type { Tables } from './tables.ts';

const DEFAULT_BATCH_INTERVAL_MS = 100;
const DEFAULT_MAX_BATCH_ROWS = 250_000;
const DEFAULT_CHECKPOINT_INTERVAL_MS = 10_000;

/** What whoever opens the engine decides: no SET goes against it. */
type Given = Pick<OpenOptions, 'batchIntervalMs' | 'maxBatchRows' | 'checkpointIntervalMs'>;

/** What SET may decide: the time zone, the trigger, and how often there is a checkpoint. */
export class Settings {
  batchIntervalMs: number;
  maxBatchRows: number;
  checkpointIntervalMs: number;
  timeZone = 'UTC';
  private readonly given: Given;
  private readonly connection: DuckConnection;
  private readonly tables: Tables;

  constructor(given: Given, connection: DuckConnection, tables: Tables) {
    this.given = given;
    this.connection = connection;
    this.tables = tables;
    this.batchIntervalMs = given.batchIntervalMs ?? DEFAULT_BATCH_INTERVAL_MS;
    this.maxBatchRows = given.maxBatchRows ?? DEFAULT_MAX_BATCH_ROWS;
    this.checkpointIntervalMs = given.checkpointIntervalMs ?? DEFAULT_CHECKPOINT_INTERVAL_MS;
  }

  async set(name: string, value: string, span: Span, valueSpan: Span): Promise<void> {
    switch (name.toLowerCase()) {
      case 'timezone':
      case 'time zone':
        try {
          await this.connection.run(sql`SET TimeZone = ${value}`);
          await this.tables.setTimeZone(value);
          this.timeZone = value;
        } catch {
          throw new StreamsqlError('OPTION', `there is no time zone '${value}'`, {
            span: valueSpan,
            hint: "such as 'UTC' or 'Europe/Berlin'",
          });
        }
        return;
      case 'batch_interval':
        this.batchIntervalMs = this.given.batchIntervalMs ?? durationOf('batch_interval', value, valueSpan, '250 ms');
        return;
      case 'checkpoint_interval':
        this.checkpointIntervalMs =
          this.given.checkpointIntervalMs ?? durationOf('checkpoint_interval', value, valueSpan, '30 seconds');
        return;
      case 'max_batch_rows': {
        const rows = Number(value);
        if (!Number.isSafeInteger(rows) || rows <= 0)
          throw new StreamsqlError('OPTION', `max_batch_rows takes a whole number of at least 1, not '${value}'`, {
            span: valueSpan,
          });
        this.maxBatchRows = this.given.maxBatchRows ?? rows;
        return;
      }
      default:
        throw new StreamsqlError('OPTION', `there is no setting ${name}`, {
          span,
          hint: 'there are timezone, batch_interval, max_batch_rows, checkpoint_interval',
        });
    }
  }

  /** A setting as SHOW tells it; undefined where there is none of the name. */
  async show(name: string): Promise<string | undefined> {
    switch (name.toLowerCase()) {
      case 'timezone':
        return this.connection.text(sql`SELECT CAST(current_setting('TimeZone') AS VARCHAR)`);
      case 'batch_interval':
        return `${this.batchIntervalMs} ms`;
      case 'checkpoint_interval':
        return `${this.checkpointIntervalMs} ms`;
      case 'max_batch_rows':
        return String(this.maxBatchRows);
      default:
        return undefined;
    }
  }

  /** Puts a connection in the time zone of the file. The one that writes the results stays in UTC. */
  async applyZone(connection: DuckConnection): Promise<void> {
    await connection.run(sql`SET TimeZone = ${this.timeZone}`);
  }
}

function durationOf(name: string, value: string, span: Span, example: string): number {
  const ms = parseDuration(value);
  if (ms !== undefined && ms > 0) return ms;
  throw new StreamsqlError('OPTION', `${name} takes a duration, not '${value}'`, {
    span,
    hint: `such as '${example}'`,
  });
}
