import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import { RESULTS_VERSION } from './results-schema.ts';

const MARK = 'streamsql.json';

/** What a state folder says of its run. */
interface Mark {
  readonly version: number;
  readonly db: string;
  readonly status: 'running' | 'stopped' | 'finished';
  readonly pid: number;
  /** When the process started, as the system counts it: another one may have its number by now. */
  readonly processStart?: string | null;
}

/** How a run stands to what is in its state folder. */
export type Beginning = 'begin' | 'resume';

/** Whether a run begins anew or goes on, or why it may do neither. Touches nothing. */
export function inspectState(folder: string, fresh: boolean): Beginning {
  const mark = readMark(folder);
  if (mark === undefined) {
    if (!existsSync(folder) || readdirSync(folder).length === 0) return 'begin';
    throw new StreamsqlError('STATE', `the folder ${folder} was not made by streamsql`, {
      hint: 'choose another with --state',
    });
  }
  if (mark.status === 'running' && mark.pid !== process.pid && isAlive(mark)) {
    throw new StreamsqlError('LOCKED', `the state ${folder} is in use by the process ${mark.pid}`);
  }
  if (fresh || mark.status === 'finished') return 'begin';
  if (mark.version !== RESULTS_VERSION) {
    throw new StreamsqlError('STATE', `the state ${folder} was written by another version of streamsql`, {
      hint: 'go on with that version, or start again from the beginning with --fresh, which removes state and results',
    });
  }
  return 'resume';
}

/** Takes the folder for this process; of a run that begins, what was there goes. */
export function takeState(folder: string, db: string, beginning: Beginning): void {
  if (beginning === 'begin' && readMark(folder) !== undefined) rmSync(folder, { recursive: true });
  for (const inner of ['checkpoints', 'data']) mkdirSync(joinPath(folder, inner), { recursive: true });
  const own = { pid: process.pid, processStart: startOf(process.pid) };
  writeMark(folder, { version: RESULTS_VERSION, db, status: 'running', ...own });
}

export function finishState(folder: string, status: 'finished' | 'stopped'): void {
  const mark = readMark(folder);
  if (mark !== undefined) writeMark(folder, { ...mark, status });
}

function readMark(folder: string): Mark | undefined {
  const path = joinPath(folder, MARK);
  if (!existsSync(path)) return undefined;
  try {
    const mark = JSON.parse(readFileSync(path, 'utf8')) as Mark;
    if (typeof mark.pid === 'number' && typeof mark.status === 'string') return mark;
    throw new Error('it is no mark of a run');
  } catch (error) {
    throw new StreamsqlError('STATE', `${path} cannot be read`, {
      hint: 'copy it back from a backup; or choose another folder with --state, or remove this one, to start from the beginning',
      cause: error,
    });
  }
}

function writeMark(folder: string, mark: Mark): void {
  const path = joinPath(folder, MARK);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(mark, null, 2)}\n`, { flush: true });
  renameSync(`${path}.tmp`, path);
}

function isAlive({ pid, processStart }: Mark): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // A process of another user is there, too.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  const started = startOf(pid);
  return typeof processStart !== 'string' || started === null || started === processStart;
}

/** When a process started, in ticks since the system did; null where the system does not say it so. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
