import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join as joinPath, resolve } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import type { Disk } from './checkpoint/disk.ts';
import { listCheckpoints } from './checkpoint/read-manifest.ts';
import { RESULTS_VERSION } from './results-schema.ts';

const MARK = 'streamsql.json';
const UNMARKED =
  'copy it back from a backup; or choose another folder with --state, or remove this one and run with --fresh, which starts from the beginning';
const ASIDE = `${MARK}.tmp`;

/** What a state folder says of its run. */
interface Mark {
  readonly version: number;
  readonly db: string;
  readonly status: 'running' | 'stopped' | 'finished';
  readonly pid: number;
  /** When the process started, as the system counts it: another one may have its number by now. */
  readonly processStart?: string | null;
}

/** How the run of a state folder ended, or that it did not; undefined where there is none. */
export const statusOf = (folder: string): Mark['status'] | undefined => readMark(folder)?.status;

/** How a run stands to what is in its state folder. */
export type Beginning = 'begin' | 'resume';
/** In this folder are the logs of sources that cannot be read again. */
export const INTAKE_FOLDER = 'intake';

/** Whether a run begins anew or goes on, or why it may do neither. Touches nothing. */
export function inspectState(folder: string, fresh: boolean): Beginning {
  const mark = readMark(folder);
  if (mark === undefined) {
    if (!existsSync(folder) || readdirSync(folder).every((name) => name === ASIDE)) return 'begin';
    if (listCheckpoints(folder).length > 0) {
      throw new StreamsqlError('STATE', `the folder ${folder} holds checkpoints, and its ${MARK} is missing`, {
        hint: UNMARKED,
      });
    }
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

/**
 * Takes the folder for this process; of a run that begins, what was there goes. Whenever it ends on the way, the folder is known
 * as what it is by its mark. `kept`: what stays of a run that ended before it had begun, for it was acknowledged.
 */
export async function takeState(
  disk: Disk,
  given: string,
  db: string,
  beginning: Beginning,
  kept?: typeof INTAKE_FOLDER,
): Promise<void> {
  const folder = resolve(given);
  await disk.makeFolder(folder);
  if (beginning === 'begin' && readMark(folder) !== undefined) {
    for (const name of await disk.list(folder))
      if (name !== MARK && name !== kept) await empty(disk, joinPath(folder, name));
  }
  const own = { pid: process.pid, processStart: startOf(process.pid) };
  await writeMark(disk, folder, { version: RESULTS_VERSION, db, status: 'running', ...own });
  for (const inner of ['checkpoints', 'data']) await disk.makeFolder(joinPath(folder, inner));
  await disk.syncFolder(folder);
  await disk.syncFolder(dirname(folder));
}

/** Removes a file, or what is in a folder: for good, so that none of it turns up among what is written from now on. */
async function empty(disk: Disk, path: string): Promise<void> {
  const names = await disk.list(path);
  for (const name of names) await disk.remove(joinPath(path, name));
  if (names.length > 0) await disk.syncFolder(path);
  await disk.remove(path);
}

export async function finishState(disk: Disk, folder: string, status: 'finished' | 'stopped'): Promise<void> {
  const mark = readMark(folder);
  if (mark !== undefined) await writeMark(disk, resolve(folder), { ...mark, status });
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
      hint: UNMARKED,
      cause: error,
    });
  }
}

async function writeMark(disk: Disk, folder: string, mark: Mark): Promise<void> {
  const aside = joinPath(folder, ASIDE);
  await disk.write(aside, `${JSON.stringify(mark, null, 2)}\n`);
  await disk.sync(aside);
  await disk.rename(aside, joinPath(folder, MARK));
  await disk.syncFolder(folder);
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
