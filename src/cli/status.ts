import { StreamsqlError } from '../base/errors.ts';
import type { EngineStatus } from '../base/status.ts';
import { statusAtRest, type RestStatus } from '../exec/status-at-rest.ts';
import type { Format } from './format.ts';
import type { Io } from './io.ts';
import { ask, namedDatabase } from './results-database.ts';
import { sectionsText } from './sections.ts';
import { statusJson } from './status-json.ts';
import { restSections, statusSections, whyLines, whySection } from './status-text.ts';
import { styleFor } from './style.ts';

export interface StatusFlags {
  readonly format: Format;
  readonly json?: boolean;
  readonly watch?: boolean;
}

export type Status = { readonly running: EngineStatus } | { readonly rest: RestStatus };

const WATCH_MS = 1000;

/** `streamsql status DB`: how the run stands that holds a database; or what the last one left in it. */
export async function statusCommand(name: string, flags: StatusFlags, io: Io): Promise<number> {
  const stop = new AbortController();
  const dispose = flags.watch === true ? io.onStop(() => stop.abort()) : () => undefined;
  try {
    for (;;) {
      const status = await statusOf(name, io);
      const text = textOf(status, flags, io);
      io.stdout.write(flags.watch === true && flags.json !== true && io.stdout.isTTY ? `${HOME}${text}` : text);
      // What is at rest stays as it is.
      if (flags.watch !== true || 'rest' in status || stop.signal.aborted) return 0;
      await pause(stop.signal);
      if (stop.signal.aborted) return 0;
    }
  } finally {
    dispose();
  }
}

/** The cursor to the top of an empty terminal. */
const HOME = '\u001b[H\u001b[2J\u001b[3J';

async function statusOf(name: string, io: Io): Promise<Status> {
  const database = namedDatabase(name, io);
  return ask<Status>(database, {
    running: async (engine) => ({ running: await engine.status() }),
    atRest: async (connection) => {
      const rest = await statusAtRest(connection);
      if (rest !== undefined) return { rest };
      throw new StreamsqlError('STATE', `${name} was not written by streamsql`);
    },
  });
}

function textOf(status: Status, { format, json }: StatusFlags, io: Io): string {
  if (json === true) return statusJson(status);
  if ('rest' in status) return sectionsText(restSections(status.rest), format, io);
  const sections = statusSections(status.running);
  if (format !== 'table') return sectionsText([...sections, whySection(status.running)], format, io);
  // Sentences would be cut in a table.
  return `${sectionsText(sections, format, io)}\n${styleFor(io.stdout, io.env).bold('why')}\n${whyLines(status.running)}`;
}

const pause = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, WATCH_MS);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
