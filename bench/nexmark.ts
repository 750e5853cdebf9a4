import { runChild } from './child.ts';
import { contest, type Method } from './compare.ts';
import { epochCost } from './nexmark-epochs.ts';
import { ORACLES } from './nexmark-oracle.ts';
import { nexmarkText, overFiles } from './nexmark-queries.ts';
import type { Line } from './report.ts';
import { geometricMean } from './statistics.ts';

const PREFIX = 'nexmark-';
export const NEXMARK_CASES: readonly string[] = Object.keys(ORACLES).map((name) => PREFIX + name);

/** Of DuckDB's rate: the geometric mean of the queries, and the least of them. */
const WANTED_MEAN = 0.25;
const WANTED_LEAST = 0.03;

export interface NexmarkOptions {
  readonly nexmarkEvents: number;
  readonly quick: boolean;
  /** Of the data. */
  readonly folder: string;
}

/** Each of the cases from NDJSON beside DuckDB over the same files, and what they come to together. */
export async function* nexmarkRates(
  cases: readonly string[],
  { nexmarkEvents, quick, folder }: NexmarkOptions,
  method: Method,
): AsyncGenerator<Line> {
  if (cases.length === 0) return;
  await runChild('nexmark-data.ts', [String(nexmarkEvents), folder]);
  const lines: Line[] = [];
  for (const name of cases) {
    const line = await attempt(name, () => rate(name.slice(PREFIX.length), folder, nexmarkEvents, method));
    lines.push(line);
    yield line;
  }
  const together = summary(lines, quick);
  if (together !== undefined) yield together;
}

/** How each case's cost of an epoch grows with what came before. */
export async function* epochCosts(cases: readonly string[], runs: number, threads: number): AsyncGenerator<Line> {
  for (const name of cases)
    yield await attempt(name, () => epochCost(name, nexmarkText(name.slice(PREFIX.length)), runs, threads));
}

function rate(query: string, folder: string, events: number, method: Method): Promise<Line> {
  const oracle = ORACLES[query];
  if (oracle === undefined) throw new Error(`there is no query ${query}`);
  const input = overFiles(nexmarkText(query), folder, events);
  const compared = oracle.compared ?? 'FROM answer';
  return contest(
    {
      name: PREFIX + query,
      text: input.text,
      compared: { engine: `WITH answer AS (FROM ${query}) ${compared}`, duckdb: compared },
      relations: input.relations,
      batch: oracle.sql,
      prototype: undefined,
      events: input.events,
      wanted: {},
    },
    method,
  );
}

async function attempt(name: string, run: () => Promise<Line>): Promise<Line> {
  try {
    return await run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { name, targets: [], wrong: message };
  }
}

/** Few events cost as much as none, so a quick run is held to no target. */
function summary(lines: readonly Line[], quick: boolean): Line | undefined {
  const ratios = lines.flatMap(({ name, ofDuckdb }) =>
    ofDuckdb === undefined ? [] : [{ name, ratio: ofDuckdb.median }],
  );
  if (ratios.length === 0) return undefined;
  const mean = geometricMean(ratios.map(({ ratio }) => ratio));
  const least = ratios.reduce((low, each) => (each.ratio < low.ratio ? each : low));
  return {
    name: 'nexmark',
    note: `${ratios.length} of ${lines.length} queries: ${mean.toFixed(3)} of DuckDB in the geometric mean, the least ${least.ratio.toFixed(3)} (${least.name.slice(PREFIX.length)})`,
    targets: quick
      ? []
      : [
          { text: `${WANTED_MEAN} in the mean`, reached: mean >= WANTED_MEAN },
          { text: `none below ${WANTED_LEAST}`, reached: least.ratio >= WANTED_LEAST },
        ],
  };
}
