import type { FaultPoint } from '../../src/base/fault.ts';
import { disturb, environmentOf, shown, type Disturbance } from './disturbance.ts';
import { EngineProcess, type Ending, type JsonEvent } from './engine-process.ts';

/** `streamsql run` with always the same arguments in always the same folder. */
export interface Command {
  readonly folder: string;
  readonly file: string;
  readonly flags: readonly string[];
  /** Of a source that does not end: whether all is read, so that the run can be stopped. */
  readonly complete?: (event: JsonEvent) => boolean;
  /** Called with each start, `left` of which are yet to be disturbed: input may come meanwhile. */
  readonly onStart?: (left: number) => void;
}

/** What became of a run and all its starts. */
export interface Story {
  readonly starts: number;
  /** Starts that SIGKILL ended. */
  readonly kills: number;
  readonly stops: number;
  readonly fired: readonly FaultPoint[];
  readonly epochs: number;
  /** Epochs that were done again, over all starts. */
  readonly replayed: number;
  readonly checkpoints: number;
  /** From the start to the first epoch, of the last start, ms. */
  readonly startMs: number;
}

/** A start that ended as none may. */
export class RunFailure extends Error {
  readonly story: Story;

  constructor(message: string, story: Story) {
    super(message);
    this.story = story;
  }
}

export const RESULTS = 'results.duckdb';

export const argumentsOf = ({ file, flags }: Command): readonly string[] => [
  'run',
  file,
  '--db',
  RESULTS,
  '--state',
  'state',
  ...flags,
];

/**
 * Starts the command again and again until its work is done, each start disturbed by the next of the list, and those after
 * the list by nothing. `fresh`: each start but the first begins anew. Throws if a start ends in any other way.
 */
export async function runToEnd(
  command: Command,
  disturbances: readonly Disturbance[] = [],
  { startMs = 1000, fresh = false }: { readonly startMs?: number; readonly fresh?: boolean } = {},
): Promise<Story> {
  const story = { starts: 0, kills: 0, stops: 0, fired: [] as FaultPoint[], epochs: 0, replayed: 0, checkpoints: 0 };
  const left = [...disturbances];
  for (;;) {
    const disturbance = left.shift();
    const args = [...argumentsOf(command), ...(fresh && story.starts > 0 ? ['--fresh'] : [])];
    const engine = new EngineProcess(command.folder, args, environmentOf(disturbance));
    story.starts++;
    command.onStart?.(left.length);
    const seen = watch(engine, command);
    if (disturbance !== undefined) disturb(engine, disturbance, startMs);
    const ending = await engine.ended;
    story.epochs = Math.max(story.epochs, seen.epochs);
    story.replayed += seen.replayed;
    story.checkpoints += seen.checkpoints;
    if (ending.signal === 'SIGKILL' && disturbance !== undefined) {
      story.kills++;
      if (disturbance.kind === 'fault' && !engine.signals.includes('SIGKILL')) story.fired.push(disturbance.point);
    } else if (ending.code !== 0) {
      throw new RunFailure(failure(ending, seen.error, story.starts, disturbance), { ...story, startMs: 0 });
    } else if (seen.interrupted && !seen.complete) {
      story.stops++;
    } else {
      return { ...story, startMs: seen.firstEpochAt - engine.startedAt };
    }
  }
}

interface Seen {
  epochs: number;
  replayed: number;
  checkpoints: number;
  firstEpochAt: number;
  interrupted: boolean;
  complete: boolean;
  error: JsonEvent | undefined;
}

function watch(engine: EngineProcess, { complete }: Command): Seen {
  const seen: Seen = { epochs: 0, replayed: 0, checkpoints: 0, firstEpochAt: 0, interrupted: false, complete: false, error: undefined }; // prettier-ignore
  engine.onEvent((event) => {
    switch (event.event) {
      case 'epoch':
        seen.epochs = Number(event['epoch']) + 1;
        if (seen.firstEpochAt === 0) seen.firstEpochAt = performance.now();
        break;
      case 'resumed':
        seen.replayed += Number(event['epoch']) - Number(event['checkpoint']);
        break;
      case 'checkpoint':
        seen.checkpoints++;
        break;
      case 'summary':
        seen.interrupted = event['interrupted'] === true;
        break;
      case 'error':
        seen.error = event;
        break;
    }
    if (!seen.complete && complete?.(event) === true) {
      seen.complete = true;
      engine.kill('SIGTERM');
    }
  });
  return seen;
}

function failure(ending: Ending, error: JsonEvent | undefined, start: number, disturbance?: Disturbance): string {
  const how = ending.signal === null ? `with code ${ending.code}` : `by ${ending.signal}`;
  const asked = disturbance === undefined ? 'undisturbed' : shown(disturbance);
  return `start ${start} (${asked}) ended ${how}: ${error === undefined ? '' : JSON.stringify(error)}\n${ending.stderr}`;
}
