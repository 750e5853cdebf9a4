import type { Random } from '../fuzz/random.ts';
import { POINTS, type Crash } from './world.ts';

/**
 * Where the lives of a run end, one after another; five lists hold all the points. What can only be met in a recovery stands after
 * what leaves something to be recovered.
 */
export const PLANS: readonly (readonly Crash['point'][])[] = [
  ['committed', 'recovery-begun', 'checkpoint-data-written', 'stepped', 'disk'],
  ['published', 'recovery-epoch-replayed', 'checkpoint-manifest-written', 'decoded', 'sink-staged'],
  ['staged', 'recovery-state-loaded', 'checkpoint-manifest-renamed', 'sink-published', 'checkpoint-pinned'],
  ['committing', 'recovery-done', 'checkpoint-data-synced', 'sink-publishing', 'checkpoint-old-removed'],
  ['published-one', 'disk', 'checkpoint-manifest-synced', 'tables-changed', 'any'],
];

/** Points that no plan has: a new one wants its place. */
export const unplanned = (): readonly string[] => POINTS.filter((point) => !PLANS.flat().includes(point));

/** The crashes of a plan, each within the first few times that its life comes to the point. */
export function crashes(points: readonly Crash['point'][], random: Random): readonly Crash[] {
  return points.map((point, life) => ({
    point,
    nth: random.int(1, mostTimes(point, life)),
    ending: random.pick(['killed', 'power cut']),
  }));
}

function mostTimes(point: Crash['point'], life: number): number {
  if (point === 'disk' || point === 'any') return 30;
  if (point.startsWith('recovery')) return 1;
  return life === 0 ? 4 : 2;
}

/** Anywhere. */
export const anywhere = (count: number, random: Random): readonly Crash[] =>
  crashes(Array.from({ length: count }, () => 'any' as const), random); // prettier-ignore
