import { drawData } from './data.ts';
import { Queries } from './query.ts';
import { Random } from './random.ts';
import type { Group } from './run.ts';

/** A group of queries over the same data, all of it drawn from the seed. */
export function drawGroup(seed: number, queries: number, tables: boolean): Group {
  const random = new Random(seed);
  // Tables are drawn where they can be had; the same seed gives the same queries over sources on every engine.
  const withTables = random.oneIn(2) && tables;
  const data = drawData(random, withTables);
  const drawer = new Queries(random, withTables);
  return { seed, data, queries: Array.from({ length: queries }, (_, i) => drawer.draw(`q${i}`)) };
}
