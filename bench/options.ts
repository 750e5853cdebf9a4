import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

export const USAGE = `usage: npm run bench [-- OPTIONS]

  --quick            300,000 bids, 20,000 events of Nexmark, one pair of runs, neither memory, codecs nor latency: a minute or so
  --only NAME        only the cases whose names begin so; may be repeated (--list shows them)
  --list             name the cases and end
  --events N         bids; 5,000,000 (memory: a fifth and twice as many)
  --nexmark-events N of the three tables together; 1,000,000
  --epochs           how the cost of an epoch of each Nexmark query grows with history, and nothing else
  --pairs N          pairs of runs that count, after a warm-up; 5
  --seconds N        how long the latency case produces, and idle ones are looked at; 20
  --threads N        DuckDB's, in the engine and in the reference; the number of cores
  --prototypes DIR   run the design's prototypes beside the engine (or the environment's STREAMSQL_PROTOTYPES)
  --profile DIR      leave a CPU profile and EXPLAIN ANALYZE of one more run of each case there
  --json FILE        write the results there too
  --strict           exit with 1 also where a target is not reached; wrong answers always do`;

export interface BenchOptions {
  readonly quick: boolean;
  readonly list: boolean;
  readonly strict: boolean;
  readonly only: readonly string[];
  readonly events: number;
  readonly nexmarkEvents: number;
  readonly epochs: boolean;
  readonly pairs: number;
  readonly seconds: number;
  readonly threads: number;
  readonly prototypes: string | undefined;
  readonly profile: string | undefined;
  readonly json: string | undefined;
}

/** Throws where an option is unknown or no number where it should be one. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' }, quick: { type: 'boolean' }, list: { type: 'boolean' }, strict: { type: 'boolean' },
      only: { type: 'string', multiple: true }, events: { type: 'string' },
      'nexmark-events': { type: 'string' }, epochs: { type: 'boolean' }, pairs: { type: 'string' },
      seconds: { type: 'string' }, threads: { type: 'string' }, prototypes: { type: 'string' },
      profile: { type: 'string' }, json: { type: 'string' },
    },
  }); // prettier-ignore
  if (values.help === true) return 'help';
  const whole = (name: 'events' | 'nexmark-events' | 'pairs' | 'seconds' | 'threads', otherwise: number): number => {
    const text = values[name];
    if (text === undefined) return otherwise;
    const number = Number(text.replaceAll('_', ''));
    if (!Number.isSafeInteger(number) || number < 1)
      throw new Error(`--${name} takes a whole number from 1 on, not '${text}'`);
    return number;
  };
  const quick = values.quick === true;
  return {
    quick,
    list: values.list === true,
    strict: values.strict === true,
    only: values.only ?? [],
    events: whole('events', quick ? 300_000 : 5_000_000),
    nexmarkEvents: whole('nexmark-events', quick ? 20_000 : 1_000_000),
    epochs: values.epochs === true,
    pairs: whole('pairs', quick ? 1 : 5),
    seconds: whole('seconds', 20),
    threads: whole('threads', availableParallelism()),
    prototypes: values.prototypes ?? process.env['STREAMSQL_PROTOTYPES'],
    profile: values.profile,
    json: values.json,
  };
}
