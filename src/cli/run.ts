import { resolve } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import type { OpenOptions, RunOptions } from '../base/run.ts';
import { AskedRun } from './asked-run.ts';
import type { Dependencies } from './dependencies.ts';
import { RunDisplay } from './display.ts';
import { failureOf, pointing } from './failure.ts';
import type { Io } from './io.ts';
import { jsonError } from './json-events.ts';
import { givenSql, type SqlFile } from './sql-file.ts';
import { watchStops } from './stopping.ts';

/** The options of `streamsql run` as commander hands them over, checked. */
export interface RunFlags {
  /** The SQL itself, in place of FILE. */
  readonly command?: string;
  readonly db?: string;
  readonly state?: string;
  readonly batchInterval?: number;
  readonly maxBatchRows?: number;
  readonly memoryLimit?: string;
  readonly threads?: number;
  readonly checkpointInterval?: number;
  readonly keep?: number;
  /** false with --no-checkpoint. */
  readonly checkpoint?: boolean;
  readonly onGap?: 'stop' | 'skip';
  readonly rebuild?: readonly string[];
  readonly stopAfterEpochs?: number;
  readonly stopAfterRows?: number;
  readonly stopAfter?: number;
  readonly fresh?: boolean;
  readonly variable: Readonly<Record<string, string>>;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** `streamsql run FILE`, or `-c SQL`: declares what the file says and runs it until its input ends or it is told to stop. */
export async function runCommand(
  file: string | undefined,
  flags: RunFlags,
  io: Io,
  calls: Dependencies,
): Promise<number> {
  const display = new RunDisplay(io, {
    json: flags.json === true,
    level: flags.quiet === true ? 'quiet' : flags.verbose === true ? 'verbose' : 'normal',
    title: file === '-' ? 'standard input' : (file ?? 'the SQL of -c'),
  });
  const stopping = watchStops(
    io,
    (message) => display.note(message),
    () => display.close(),
  );
  try {
    const sqlFile = await givenSql(file, flags.command, io);
    await pointing(sqlFile, async () => {
      const engine = await calls.open({
        ...openOptions(sqlFile, flags, io),
        ...(file === '-' && { stdinIsSql: true }),
      });
      const asked = new AskedRun(engine, (event) => display.event(event));
      try {
        for (const { sql, table } of await engine.sql(sqlFile.text, sqlFile.name)) {
          display.event({ event: 'result', sql, table });
        }
        const stopAfter = stopAfterOf(flags);
        await engine.run({
          signal: stopping.signal,
          onEvent: (event) => {
            display.event(event);
            asked.event(event);
          },
          ...(Object.keys(stopAfter).length > 0 && { stopAfter }),
        });
      } finally {
        await asked.close();
        await engine.close();
      }
    });
    return 0;
  } catch (thrown) {
    display.close();
    const { error, source } = failureOf(thrown);
    if (flags.json === true) io.stdout.write(jsonError(error, source));
    throw thrown;
  } finally {
    display.close();
    stopping.dispose();
  }
}

/** Results beside the file's name and state beside them, in the current folder; neither for standard input and -c. */
function openOptions({ stem }: SqlFile, flags: RunFlags, io: Io): OpenOptions {
  const db = flags.db ?? (stem === undefined ? ':memory:' : `${stem}.duckdb`);
  const state = flags.state ?? (stem === undefined || db === ':memory:' ? undefined : `${stem}.state`);
  if (state === undefined) needsState(flags);
  return {
    db: db === ':memory:' ? db : resolve(io.cwd, db),
    cwd: io.cwd,
    variables: flags.variable,
    ...(state !== undefined && { state: resolve(io.cwd, state) }),
    ...(stem !== undefined && { stem }),
    ...(flags.batchInterval !== undefined && { batchIntervalMs: flags.batchInterval }),
    ...(flags.maxBatchRows !== undefined && { maxBatchRows: flags.maxBatchRows }),
    ...(flags.memoryLimit !== undefined && { memoryLimit: flags.memoryLimit }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.fresh === true && { fresh: true }),
    ...(flags.checkpointInterval !== undefined && { checkpointIntervalMs: flags.checkpointInterval }),
    ...(flags.keep !== undefined && { keepCheckpoints: flags.keep }),
    ...(flags.checkpoint === false && { checkpoints: false }),
    ...(flags.onGap !== undefined && { onGap: flags.onGap }),
    ...(flags.rebuild !== undefined && { rebuild: flags.rebuild }),
  };
}

const stopAfterOf = ({
  stopAfterEpochs,
  stopAfterRows,
  stopAfter,
}: RunFlags): NonNullable<RunOptions['stopAfter']> => ({
  ...(stopAfterEpochs !== undefined && { epochs: stopAfterEpochs }),
  ...(stopAfterRows !== undefined && { rows: stopAfterRows }),
  ...(stopAfter !== undefined && { ms: stopAfter }),
});

/** Without a state folder there is nothing that these could be about. */
function needsState({ checkpointInterval, keep, rebuild }: RunFlags): void {
  const given = { '--checkpoint-interval': checkpointInterval, '--keep': keep, '--rebuild': rebuild };
  const [option] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
  if (option === undefined) return;
  throw new StreamsqlError('USAGE', `${option} needs a state folder, and this run keeps none`, {
    hint: 'name one with --state DIR',
  });
}
