// npm run bench: the engine beside DuckDB's batch answer and the design's prototypes. docs/benchmarks.md says how.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { CASES, LATENCY, MEMORY } from './cases.ts';
import { runChild } from './child.ts';
import { CHECKPOINTS, checkpointCosts, stateCosts } from './checkpoints.ts';
import { CODECS, codecRates } from './codecs.ts';
import { compare, type Method } from './compare.ts';
import { IDLE, idle } from './idle.ts';
import { latency } from './latency.ts';
import { memory } from './memory.ts';
import { METADATA_CASES, metadataCosts } from './metadata.ts';
import { MANY_PARTITIONS, manyPartitions } from './partitions.ts';
import { epochCosts, NEXMARK_CASES, nexmarkRates } from './nexmark.ts';
import { readOptions, USAGE, type BenchOptions } from './options.ts';
import { Prototypes } from './prototypes.ts';
import { HEADER, render, type Line } from './report.ts';
import type { FileFormat, Input } from './source.ts';
import { BenchBroker } from './topic.ts';

const DATA = join(import.meta.dirname, 'data');
const PARTITIONS = 4;
/** Cases over a broker that are not queries held against DuckDB. */
const ON_KAFKA: readonly string[] = [CODECS, MANY_PARTITIONS, ...METADATA_CASES, IDLE, LATENCY];

/** npm runs scripts in the package's folder and says in INIT_CWD where the user is. */
const fromUser = (path: string): string => resolve(process.env['INIT_CWD'] ?? process.cwd(), path);

const fileOf = (events: number, format: FileFormat): Input & { kind: 'file' } => ({
  kind: 'file',
  format,
  path: join(DATA, `bids-${events}.${format}`),
});

async function makeFiles(events: number, formats: readonly FileFormat[]): Promise<void> {
  mkdirSync(DATA, { recursive: true });
  await runChild('bids.ts', [String(events), ...formats.map((format) => fileOf(events, format).path)]);
}

/** Runs a case, so that one that fails is a line of its own and not the end of all. */
async function attempt(name: string, run: () => Promise<Line>): Promise<Line> {
  try {
    return await run();
  } catch (error) {
    return { name, targets: [], wrong: error instanceof Error ? error.message : String(error) };
  }
}

async function* runAll(options: BenchOptions): AsyncGenerator<Line> {
  const isWanted = (name: string): boolean =>
    options.only.length === 0 || options.only.some((start) => name.startsWith(start));
  const { events, threads } = options;
  if (options.epochs) return yield* epochCosts(NEXMARK_CASES.filter(isWanted), Math.min(options.pairs, 3), threads);
  const method: Method = {
    events,
    threads,
    pairs: options.pairs,
    warmUp: !options.quick,
    prototypes: options.prototypes === undefined ? undefined : new Prototypes(fromUser(options.prototypes)),
    profiles: options.profile === undefined ? undefined : fromUser(options.profile),
  };
  const cases = CASES.filter((each) => isWanted(each.name));
  const formats = cases.map((each) => (each.input === 'kafka' ? 'ndjson' : each.input));
  if (cases.length > 0) await makeFiles(events, [...new Set(formats)]);
  for (const each of cases) {
    if (each.input === 'kafka') continue;
    const input = fileOf(events, each.input);
    yield await attempt(each.name, () => compare({ ...each, input, batchInput: input }, method));
  }
  yield* nexmarkRates(NEXMARK_CASES.filter(isWanted), { ...options, folder: DATA }, method);
  if (isWanted(MEMORY) && (!options.quick || options.only.length > 0)) {
    const [few, many] = [Math.max(1, Math.round(events / 5)), events * 2];
    for (const count of [few, many]) await makeFiles(count, ['ndjson']);
    const paths = [fileOf(few, 'ndjson').path, fileOf(many, 'ndjson').path] as const;
    yield await attempt(MEMORY, () => memory(...paths, Math.min(options.pairs, 3), threads));
  }
  if (isWanted(CHECKPOINTS) && (!options.quick || options.only.length > 0)) {
    await makeFiles(events, ['ndjson']);
    yield* await checkpointCosts(fileOf(events, 'ndjson'), options.pairs, threads);
    yield* await stateCosts(threads, options.quick);
  }
  const onKafka = cases.filter((each) => each.input === 'kafka');
  const beside = options.quick && options.only.length === 0 ? [] : ON_KAFKA.filter(isWanted);
  const metadata = METADATA_CASES.filter((name) => beside.includes(name));
  if (onKafka.length === 0 && beside.length === 0) return;
  const obstacle = BenchBroker.obstacle();
  if (obstacle !== undefined) {
    for (const name of [...onKafka.map((each) => each.name), ...beside]) yield { name, targets: [], skipped: obstacle };
    return;
  }
  const broker = await BenchBroker.start(DATA);
  try {
    const topic = `bids-${events}`;
    const batchInput = fileOf(events, 'ndjson');
    const isLoaded = beside.some((name) => name !== LATENCY && name !== IDLE);
    if (isLoaded) await makeFiles(events, ['ndjson']);
    if (onKafka.length > 0 || isLoaded) await broker.load(batchInput.path, topic, PARTITIONS);
    for (const each of onKafka) {
      const input: Input = { kind: 'kafka', address: broker.address, topic };
      yield await attempt(each.name, () => compare({ ...each, input, batchInput }, method));
    }
    if (beside.includes(CODECS)) yield* await codecRates(broker, topic, batchInput, PARTITIONS, method);
    if (beside.includes(MANY_PARTITIONS)) yield* await manyPartitions(broker, topic, batchInput, method);
    if (metadata.length > 0)
      yield* await metadataCosts(metadata, { kind: 'kafka', address: broker.address, topic }, method);
    if (beside.includes(IDLE)) yield* await idle(broker.address, options.seconds);
    if (beside.includes(LATENCY)) yield await attempt(LATENCY, () => latency(broker.address, options.seconds, threads));
  } finally {
    await broker.stop();
  }
}

async function main(options: BenchOptions): Promise<number> {
  if (options.list) {
    const cases = [...CASES.map((each) => each.name), ...NEXMARK_CASES, MEMORY, CHECKPOINTS, ...ON_KAFKA];
    console.log(cases.join('\n'));
    return 0;
  }
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.versions.node}`;
  console.log(
    `${options.events.toLocaleString('en')} bids, ${options.nexmarkEvents.toLocaleString('en')} events of Nexmark, ${options.pairs} pairs, ${options.threads} threads; ${machine}\n`,
  );
  console.log(HEADER);
  const lines: Line[] = [];
  for await (const line of runAll(options)) {
    lines.push(line);
    console.log(render(line));
  }
  if (lines.length === 0) {
    console.error(`no case's name begins with ${options.only.join(' or ')}; --list names them`);
    return 2;
  }
  if (options.json !== undefined) {
    const { events, nexmarkEvents, pairs, threads } = options;
    writeFileSync(
      fromUser(options.json),
      `${JSON.stringify({ machine, events, nexmarkEvents, pairs, threads, lines }, null, 2)}\n`,
    );
  }
  const isWrong = lines.some((line) => line.wrong !== undefined);
  const isBelow = lines.some((line) => line.targets.some((target) => !target.reached));
  return isWrong || (options.strict && isBelow) ? 1 : 0;
}

let options: BenchOptions | 'help' | undefined;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
if (options === 'help') console.log(USAGE);
else if (options !== undefined) process.exitCode = await main(options);
