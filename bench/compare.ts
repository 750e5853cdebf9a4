import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastJson, RefusedError, runChild, type Outcome, type Refusal } from './child.ts';
import type { DuckdbJob } from './duckdb-child.ts';
import type { EngineJob } from './engine-child.ts';
import { prototypeOf, type PrototypeRun, type Prototypes } from './prototypes.ts';
import type { Query } from './queries.ts';
import type { Line, Target } from './report.ts';
import { batchRelation, streamFile, type Input } from './source.ts';
import { spread } from './statistics.ts';

/** A query over an input, beside DuckDB's answer to the same over a file with the same bids. */
export interface Comparison {
  readonly name: string;
  readonly query: Query;
  readonly input: Input;
  readonly batchInput: Input & { readonly kind: 'file' };
  readonly wanted: Wanted;
}

/** The least shares that the project wants. */
export interface Wanted {
  readonly ofDuckdb?: number;
  readonly ofPrototype?: number;
}

/** A streamsql file beside plain DuckDB and, where there is one, a prototype. */
export interface Contest {
  readonly name: string;
  readonly text: string;
  /** What of the file's results must be equal to what of the table `answer` of DuckDB's; SELECTs. */
  readonly compared: { readonly engine: string; readonly duckdb: string };
  readonly relations: DuckdbJob['relations'];
  readonly batch: string;
  readonly prototype: PrototypeRun | undefined;
  /** How many the file reads. */
  readonly events: number;
  readonly wanted: Wanted;
}

export interface Method {
  readonly events: number;
  /** Pairs that count, after a first one that does not. */
  readonly pairs: number;
  readonly warmUp: boolean;
  readonly threads: number;
  readonly prototypes: Prototypes | undefined;
  /** A folder for a profile and EXPLAIN ANALYZE of one more run. */
  readonly profiles: string | undefined;
}

/** One run of the engine in a process and a folder of its own. Throws RefusedError where the SQL is not supported. */
export async function runEngine(
  text: string,
  threads: number,
  compared = 'FROM answer',
  profile?: { readonly folder: string; readonly name: string },
  checkpoints?: EngineJob['checkpoints'],
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'streamsql-bench-'));
  try {
    const job: EngineJob = {
      text,
      db: join(folder, 'answer.duckdb'),
      threads,
      compared,
      explain: profile !== undefined,
      checkpoints,
    };
    const flags =
      profile === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${profile.folder}`, `--cpu-prof-name=${profile.name}.cpuprofile`];
    const output = await runChild('engine-child.ts', [JSON.stringify(job)], flags);
    if (profile !== undefined) writeFileSync(join(profile.folder, `${profile.name}.txt`), output);
    const result = lastJson<Outcome | Refusal>(output);
    if ('refused' in result) throw new RefusedError(result.refused);
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runDuckdb({ relations, batch, compared }: Contest, threads: number): Promise<Outcome> {
  const job: DuckdbJob = { relations, select: batch, compared: compared.duckdb, threads };
  return lastJson<Outcome>(await runChild('duckdb-child.ts', [JSON.stringify(job)]));
}

interface Pair {
  readonly engine: Outcome;
  readonly duckdb: Outcome;
  /** Seconds. */
  readonly prototype: number | undefined;
}

export const compare = (comparison: Comparison, method: Method): Promise<Line> =>
  contest(
    {
      name: comparison.name,
      text: streamFile(comparison.query, comparison.input),
      compared: { engine: 'FROM answer', duckdb: 'FROM answer' },
      relations: [['bids', batchRelation(comparison.query, comparison.batchInput).text]],
      batch: comparison.query.batch,
      prototype: prototypeOf(comparison.query.name, comparison.input),
      events: method.events,
      wanted: comparison.wanted,
    },
    method,
  );

/** Warms up, then runs engine, DuckDB and prototype in turn, every other time the other way round. */
export async function contest(all: Contest, method: Method): Promise<Line> {
  const { text, compared, prototype } = all;
  const runPair = async (flip: boolean): Promise<Pair> => {
    const parts: { engine?: Outcome; duckdb?: Outcome; prototype?: number } = {};
    const steps = [
      async () => void (parts.engine = await runEngine(text, method.threads, compared.engine)),
      async () => void (parts.duckdb = await runDuckdb(all, method.threads)),
      async () => {
        if (prototype !== undefined && method.prototypes?.has(prototype) === true)
          parts.prototype = await method.prototypes.seconds(prototype, all.events);
      },
    ];
    for (const step of flip ? steps.reverse() : steps) await step();
    if (parts.engine === undefined || parts.duckdb === undefined) throw new Error('a run gave nothing');
    return { engine: parts.engine, duckdb: parts.duckdb, prototype: parts.prototype };
  };
  if (method.warmUp) await runPair(false);
  const pairs: Pair[] = [];
  for (let i = 0; i < method.pairs; i++) pairs.push(await runPair(i % 2 === 1));
  if (method.profiles !== undefined) {
    mkdirSync(method.profiles, { recursive: true });
    await runEngine(text, method.threads, compared.engine, { folder: method.profiles, name: all.name });
  }
  return judge(all, pairs);
}

function judge({ name, wanted, events }: Contest, pairs: readonly Pair[]): Line {
  const odd = pairs.find((pair) => pair.engine.answer !== pair.duckdb.answer);
  if (odd !== undefined) return { name, targets: [], wrong: `${odd.engine.answer}, but DuckDB: ${odd.duckdb.answer}` };
  const ofDuckdb = spread(pairs.map((pair) => pair.duckdb.seconds / pair.engine.seconds));
  const paired = pairs.flatMap(({ engine, prototype }) => (prototype === undefined ? [] : prototype / engine.seconds));
  const ofPrototype = paired.length === 0 ? undefined : spread(paired);
  const targets: Target[] = [];
  if (wanted.ofPrototype !== undefined && ofPrototype !== undefined)
    targets.push({
      text: `${wanted.ofPrototype} of prototype`,
      reached: ofPrototype.median >= wanted.ofPrototype,
    });
  if (wanted.ofDuckdb !== undefined)
    targets.push({ text: `${wanted.ofDuckdb} of DuckDB`, reached: ofDuckdb.median >= wanted.ofDuckdb });
  return {
    name,
    rate: spread(pairs.map((pair) => events / pair.engine.seconds)),
    peakMb: spread(pairs.map((pair) => pair.engine.peakMb)).max,
    cpuSeconds: spread(pairs.map((pair) => pair.engine.cpuSeconds)).median,
    ofDuckdb,
    ...(ofPrototype === undefined ? {} : { ofPrototype }),
    targets,
  };
}
