import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAULT_POINTS } from '../../src/base/fault.ts';
import { Random } from '../fuzz/random.ts';
import { differences } from './compare.ts';
import { anyDisturbances, pointsAndOthers, shown, type Disturbance } from './disturbance.ts';
import { RunFailure, runToEnd, type Story } from './run.ts';
import type { Workload } from './workload.ts';

export interface Round {
  readonly workload: string;
  readonly seed: number;
  readonly disturbances: readonly Disturbance[];
  readonly story: Story | undefined;
  /** What the crashes changed; empty where they changed nothing. */
  readonly differences: readonly string[];
  /** What was left of it; removed where nothing differs. */
  readonly folder: string;
}

/** What a round is played with. */
export interface Scene {
  readonly folder: string;
  /** The folders of the undisturbed run and of the other. */
  readonly want: string;
  readonly got: string;
  readonly disturbances: readonly Disturbance[];
  /** What else is wrong beside what differs. */
  readonly found: string[];
  /** Of the disturbed run. */
  story?: Story;
}

/** Plays a round in a folder of its own: `play` runs both ways, and what differs then is looked for. */
export async function inScene(
  workload: string,
  seed: number,
  plan: Plan,
  play: (scene: Scene) => Promise<void>,
): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), `streamsql-crash-${workload}-${seed}-`));
  const disturbances = plan(new Random(seed));
  const found: string[] = [];
  const [want, got] = [join(folder, 'want'), join(folder, 'got')];
  const scene: Scene = { folder, want, got, disturbances, found };
  try {
    for (const each of [want, got]) mkdirSync(each);
    await play(scene);
    found.push(...(await differences(want, got)));
  } catch (error) {
    if (error instanceof RunFailure) scene.story = error.story;
    found.push(error instanceof Error ? error.message : String(error));
  }
  if (found.length === 0) rmSync(folder, { recursive: true, force: true });
  return { workload, seed, disturbances, story: scene.story, differences: found, folder };
}

/** One round: the undisturbed run, the disturbed one over the same input, and the comparison. All of it follows from the seed, but for the instants of the kills. */
export const playRound = (workload: Workload, seed: number, plan: Plan): Promise<Round> =>
  inScene(workload.name, seed, plan, async (scene) => {
    const { want, got, disturbances } = scene;
    for (const each of [want, got]) workload.prepare(each, seed);
    const { startMs } = await runToEnd({ ...workload, folder: want });
    scene.story = await runToEnd({ ...workload, folder: got }, disturbances, { startMs });
  });

/** Which disturbances a round has. */
export type Plan = (random: Random) => readonly Disturbance[];

export const withPoints =
  (points: number, others: number): Plan =>
  (random) =>
    pointsAndOthers(random, points, others);

export const withEveryPoint = (others: number): Plan => withPoints(FAULT_POINTS.length, others);

export const atRandom =
  (count: number): Plan =>
  (random) =>
    anyDisturbances(random, count);

/** A line for a round, and for one that went wrong all that is needed to look into it. */
export function report(round: Round): string {
  const { story, seed, workload } = round;
  const counts =
    story === undefined
      ? 'not finished'
      : `${story.kills} kills (${story.fired.length} at fault points), ${story.stops} stops, ${story.epochs} epochs, ${story.replayed} replayed, ${story.checkpoints} checkpoints`;
  const head = `${workload} seed ${seed}: ${counts}`;
  if (round.differences.length === 0) return `${head}: equal`;
  return [
    `${head}: DIFFERENT`,
    ...round.differences.map((each) => `  ${each}`),
    `  folder: ${round.folder}`,
    `  again: npm run torture -- --rounds 1 --workload ${workload} --seed ${seed} --plan '${round.disturbances.map(shown).join(' ')}'`,
  ].join('\n');
}
