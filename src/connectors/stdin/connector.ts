import type { Readable } from 'node:stream';
import type { SourceConnector, SourceDeclaration, SourcePlan } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs } from '../../base/options.ts';
import { FILE_OPTIONS } from '../file/options.ts';
import { layoutOf, LINE_OPTIONS, LOG_OPTIONS } from '../intake/layout.ts';
import { loggedPlan } from '../intake/plan.ts';
import { LogReader, type Door } from '../intake/log-reader.ts';
import type { LogPartition } from '../intake/log-partition.ts';
import { RecordCutter } from '../intake/record-cutter.ts';
import { LoggedStream } from '../intake/stream.ts';

const OPTIONS = {
  ...LINE_OPTIONS,
  header: { ...FILE_OPTIONS.header, doc: 'csv: whether the first record names the columns; true' },
  ...LOG_OPTIONS,
} as const satisfies OptionSpecs;

const PARTITION = 'stdin';
const TAKEN: WeakSet<AbortSignal> = new WeakSet();

/** Standard input, to its end; `stream` gives what stands for it. */
export function stdinFrom(stream: () => Readable): SourceConnector {
  return {
    name: 'stdin',
    doc: 'Standard input, a record a line, until it ends.',
    options: OPTIONS,
    plan: (declaration) => planStdin(declaration, stream),
  };
}

export const stdinSource = stdinFrom(() => process.stdin);

function planStdin(declaration: SourceDeclaration, stream: () => Readable): SourcePlan {
  const { options, span, stdinIsSql } = declaration;
  if (stdinIsSql === true)
    throw new StreamsqlError('OPTION', 'standard input is where the SQL comes from', {
      span,
      hint: "name a file, streamsql run FILE.sql, or give the SQL itself: streamsql run -c 'CREATE SOURCE …'",
    });
  const layout = layoutOf(declaration, true);
  const maxRecord = Number(options['max_record'] ?? OPTIONS.max_record.default);
  const settings = {
    maxPending: Number(options['max_pending'] ?? OPTIONS.max_pending.default),
    header: layout.kind === 'csv' && layout.header,
  };
  return loggedPlan(declaration, {
    bounded: true,
    open: (context) =>
      new LogReader(
        {
          layout,
          names: [PARTITION],
          door: (partition, fail) => {
            const logged = (from: Readable): LoggedStream =>
              new LoggedStream(from, partition, new RecordCutter(layout, maxRecord), settings);
            return new StdinDoor(partition, { stream, logged, fail, take: () => takeOnce(context.signal, span) });
          },
        },
        context,
      ),
  });
}

/** There is one standard input: a second source would get what the first one does not. */
function takeOnce(run: AbortSignal, span: SourceDeclaration['span']): void {
  if (TAKEN.has(run))
    throw new StreamsqlError('OPTION', 'standard input is read by another source already', {
      span,
      hint: 'declare one source over it, and several views over that',
    });
  TAKEN.add(run);
}

interface StdinHost {
  stream(): Readable;
  logged(from: Readable): LoggedStream;
  take(): void;
  fail(error: unknown): void;
}

class StdinDoor implements Door {
  private readonly partition: LogPartition;
  private readonly host: StdinHost;
  private logged: LoggedStream | undefined;
  private isClosed = false;

  constructor(partition: LogPartition, host: StdinHost) {
    this.partition = partition;
    this.host = host;
  }

  open(): Promise<void> {
    this.host.take();
    void this.begin();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.logged?.stop('the run ended within this record').catch(() => undefined);
  }

  private async begin(): Promise<void> {
    try {
      await this.partition.opened();
    } catch {
      // Who reads the log hears of it.
      return;
    }
    if (this.isClosed) return;
    const stream = this.host.stream();
    const logged = this.host.logged(stream);
    this.logged = logged;
    stream.once('end', () => void logged.stop());
    stream.once('error', (error) => this.host.fail(new StreamsqlError('SOURCE', `standard input cannot be read: ${error.message}`, { cause: error }))); // prettier-ignore
    if (stream.readableEnded) void logged.stop();
    try {
      await logged.over;
      this.partition.finish();
    } catch (error) {
      this.host.fail(error);
    }
  }
}
