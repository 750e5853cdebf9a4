import type { Progress, RunEvent, SourceProgress } from '../base/run.ts';
import { printable } from './printable.ts';
import { count, duration, instant, rate } from './units.ts';
import { displayWidth, truncate } from './width.ts';

type Start = Extract<RunEvent, { event: 'start' }>;

/**
 * The one line that says how a run does: a bar where the input ends, else the state of things; and, if there is room, how
 * many seconds ago the last checkpoint was.
 */
export function statusLine(start: Start, progress: Progress, columns: number, checkpointAge?: number): string {
  const fraction = start.bounded ? fractionDone(start, progress.sources) : undefined;
  const line = printable(fraction === undefined ? liveText(progress) : barText(fraction, progress));
  const age = checkpointAge === undefined ? '' : ` | checkpoint ${Math.floor(checkpointAge)} s ago`;
  return displayWidth(line + age) < columns ? line + age : truncate(line, columns - 1);
}

/** For a log: the same facts without a bar. */
export function logText(start: Start, progress: Progress): string {
  const fraction = start.bounded ? fractionDone(start, progress.sources) : undefined;
  return printable(liveText(progress, fraction));
}

/**
 * How much of the input is read, 0 to 1; undefined where a source does not know its end. Sources of one connector count
 * in one unit and are added up; between connectors the units differ, so their shares are averaged.
 */
export function fractionDone(start: Start, sources: readonly SourceProgress[]): number | undefined {
  const connectorOf = new Map(start.sources.map(({ name, connector }) => [name, connector]));
  const sums = new Map<string, { done: number; total: number }>();
  for (const { name, done, total } of sources) {
    if (total === undefined) return undefined;
    const connector = connectorOf.get(name) ?? name;
    const sum = sums.get(connector) ?? { done: 0, total: 0 };
    sums.set(connector, { done: sum.done + done, total: sum.total + total });
  }
  const shares = [...sums.values()].map(({ done, total }) => (total === 0 ? 1 : Math.min(1, done / total)));
  return shares.length === 0 ? undefined : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

const BAR = 24;

function barText(fraction: number, progress: Progress): string {
  const filled = Math.floor(fraction * BAR);
  const left = fraction > 0 && fraction < 1 ? ` | ETA ${duration((progress.seconds * (1 - fraction)) / fraction)}` : '';
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`;
  const facts = `${count(progress.rowsIn)} rows | ${rate(progress.rowsPerSecond)} rows/s${left}`;
  return [notices(progress), `${bar} ${percent(fraction).padStart(4)} | ${facts}`].filter(Boolean).join(' | ');
}

function liveText(progress: Progress, fraction?: number): string {
  const parts = [
    notices(progress),
    fraction === undefined ? '' : `${percent(fraction)} read`,
    `epoch ${count(progress.epoch)}`,
    `${count(progress.rowsIn)} rows`,
    `${rate(progress.rowsPerSecond)} rows/s`,
    fraction === undefined ? lag(progress.sources) : '',
    ...progress.sources.flatMap((source) => watermark(source, progress.sources.length > 1)),
  ];
  return parts.filter(Boolean).join(' | ');
}

const percent = (fraction: number): string => `${Math.floor(fraction * 100)}%`;

/** What the sources and sinks wait for. */
export function notices({ sources, sinks }: Progress): string {
  return [...new Set([...sources, ...sinks].flatMap(({ notice }) => notice ?? []))].join('; ');
}

/** What is there and not read yet, of the sources that know. */
function lag(sources: readonly SourceProgress[]): string {
  const known = sources.filter(({ total }) => total !== undefined);
  if (known.length === 0) return '';
  return `lag ${count(known.reduce((sum, { done, total }) => sum + Math.max(0, (total ?? 0) - done), 0))}`;
}

function watermark(source: SourceProgress, named: boolean): string[] {
  const { name, watermark: micros, heldBackBy, heldBackReason: reason } = source;
  if (micros === undefined && heldBackBy === undefined) return [];
  const quiet = reason === 'clock' ? ' (quiet: goes by the clock)' : reason === 'idle' ? ' (idle)' : '';
  const by =
    heldBackBy === undefined ? quiet : ` (held back by ${heldBackBy}${reason === undefined ? '' : `: ${reason}`})`;
  return [`${named ? `${name} ` : ''}${micros === undefined ? 'no watermark' : `watermark ${instant(micros)}`}${by}`];
}
