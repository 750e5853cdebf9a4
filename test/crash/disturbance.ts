import { FAULT_POINTS, INTAKE_FAULT_POINTS, type FaultPoint } from '../../src/base/fault.ts';
import type { Random } from '../fuzz/random.ts';
import type { EngineProcess } from './engine-process.ts';

/** How one start of the engine is brought to its end before its work is done. */
export type Disturbance =
  /** It kills itself at the point, when it is there for the nth time. */
  | { readonly kind: 'fault'; readonly point: FaultPoint; readonly nth: number }
  /** SIGKILL so many ms after so many epochs. */
  | { readonly kind: 'kill'; readonly epochs: number; readonly ms: number }
  /** SIGKILL while it starts: after a share of the time that an undisturbed run took to its first epoch. */
  | { readonly kind: 'start'; readonly percent: number }
  | { readonly kind: 'stop'; readonly signal: 'SIGINT' | 'SIGTERM'; readonly epochs: number };

/** As `shown` writes them. */
export const parsed = (text: string): readonly Disturbance[] => text.split(/\s+/).filter(Boolean).map(parsedOne);

function parsedOne(text: string): Disturbance {
  const [, how = '', separator = '', first = '', second = ''] =
    /^([\w-]+)([:@])(\d+)(?:\+(\d+)ms|%)?$/.exec(text) ?? [];
  const point = [...FAULT_POINTS, ...INTAKE_FAULT_POINTS].find((known) => known === how);
  if (point !== undefined && separator === ':') return { kind: 'fault', point, nth: Number(first) };
  if (how === 'kill') return { kind: 'kill', epochs: Number(first), ms: Number(second) };
  if (how === 'start') return { kind: 'start', percent: Number(first) };
  if (how === 'SIGINT' || how === 'SIGTERM') return { kind: 'stop', signal: how, epochs: Number(first) };
  throw new Error(`${text} is no disturbance`);
}

export function shown(disturbance: Disturbance): string {
  switch (disturbance.kind) {
    case 'fault':
      return `${disturbance.point}:${disturbance.nth}`;
    case 'kill':
      return `kill@${disturbance.epochs}+${disturbance.ms}ms`;
    case 'start':
      return `start@${disturbance.percent}%`;
    case 'stop':
      return `${disturbance.signal}@${disturbance.epochs}`;
  }
}

/** So many of the points, each once, and so many disturbances of the other kinds, in random order. */
export function pointsAndOthers(random: Random, points: number, others: number): readonly Disturbance[] {
  const all = [
    ...random.some(FAULT_POINTS, points, points).map((point) => fault(random, point)),
    ...Array.from({ length: others }, () => other(random)),
  ];
  return [first(random), ...random.some(all, all.length, all.length)];
}

export function anyDisturbances(random: Random, count: number): readonly Disturbance[] {
  return Array.from({ length: count }, (_, i) =>
    i === 0 ? first(random) : random.oneIn(2) ? fault(random, random.pick(FAULT_POINTS)) : other(random),
  );
}

function fault(random: Random, point: FaultPoint): Disturbance {
  // A checkpoint comes every few epochs, a recovery once a start, and what it does again are few epochs.
  const most = point.startsWith('checkpoint') || point === 'recovery-epoch-replayed' ? 2 : 4;
  return { kind: 'fault', point, nth: point.startsWith('recovery') && most > 2 ? 1 : random.int(1, most) };
}

/** Before much is there: now and then before anything is. A recovery is yet to come. */
function first(random: Random): Disturbance {
  const points = FAULT_POINTS.filter((point) => !point.startsWith('recovery'));
  return random.oneIn(2) ? { kind: 'fault', point: random.pick(points), nth: 1 } : other(random);
}

const other = (random: Random): Disturbance =>
  random.weighted<Disturbance>([
    [5, { kind: 'kill', epochs: random.int(1, 4), ms: random.int(0, 120) }],
    [3, { kind: 'start', percent: random.int(50, 110) }],
    [1, { kind: 'stop', signal: random.pick(['SIGINT', 'SIGTERM']), epochs: random.int(1, 4) }],
  ]);

export function environmentOf(disturbance: Disturbance | undefined): Readonly<Record<string, string>> {
  return disturbance?.kind === 'fault' ? { STREAMSQL_FAULT: `${disturbance.point}:${disturbance.nth}` } : {};
}

/** What has not come after so many epochs, or in so long without one, is not waited for. */
const MOST_EPOCHS = 12;
const QUIET_MS = 2000;

/** Sees to it that the disturbance comes; `startMs` is how long a start takes. */
export function disturb(engine: EngineProcess, disturbance: Disturbance, startMs: number): void {
  const later = (signal: NodeJS.Signals, ms: number): void => {
    const timer = setTimeout(() => engine.kill(signal), ms);
    void engine.ended.then(() => clearTimeout(timer));
  };
  whenQuiet(engine, () => engine.kill(disturbance.kind === 'stop' ? disturbance.signal : 'SIGKILL'));
  switch (disturbance.kind) {
    case 'fault':
      return afterEpochs(engine, MOST_EPOCHS, () => engine.kill('SIGKILL'));
    case 'start':
      return later('SIGKILL', (startMs * disturbance.percent) / 100);
    case 'kill':
      return afterEpochs(engine, disturbance.epochs, () => later('SIGKILL', disturbance.ms));
    case 'stop':
      return afterEpochs(engine, disturbance.epochs, () => engine.kill(disturbance.signal));
  }
}

function afterEpochs(engine: EngineProcess, epochs: number, then: () => void): void {
  let seen = 0;
  engine.onEvent(({ event }) => {
    if (event === 'epoch' && ++seen === epochs) then();
  });
}

/** A source that has no more for now brings no epoch; before the first one there is all the time that a start takes. */
function whenQuiet(engine: EngineProcess, then: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  engine.onEvent(({ event }) => {
    if (event !== 'epoch') return;
    clearTimeout(timer);
    timer = setTimeout(then, QUIET_MS);
  });
  void engine.ended.then(() => clearTimeout(timer));
}
