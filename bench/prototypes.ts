import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runChild } from './child.ts';
import type { Input } from './source.ts';

/** A prototype's script and its arguments before the batch's rows, which it takes by default. */
export interface PrototypeRun {
  readonly script: 'file-tumble.mjs' | 'interval-join.mjs' | 'kafka-tumble.mjs';
  readonly args: readonly string[];
}

/** The join's rate is reckoned over so many events, however many there were. */
const JOIN_EVENTS = 5_000_000;

/** What of the prototypes does the same as a query over an input. */
export function prototypeOf(query: string, input: Input): PrototypeRun | undefined {
  if (input.kind === 'kafka') {
    if (query !== 'tumble' && query !== 'filter') return undefined;
    return { script: 'kafka-tumble.mjs', args: [input.address, input.topic, query] };
  }
  if (input.format !== 'ndjson') return undefined;
  if (query === 'tumble') return { script: 'file-tumble.mjs', args: [input.path] };
  if (query === 'join') return { script: 'interval-join.mjs', args: [input.path] };
  return undefined;
}

/** Runs the design's throw-away prototypes, where a folder of them is at hand. */
export class Prototypes {
  private readonly folder: string;

  /** They are copied to where Node finds this checkout's packages. */
  constructor(from: string) {
    this.folder = join(dirname(import.meta.dirname), 'node_modules', '.cache', 'streamsql-prototypes');
    mkdirSync(this.folder, { recursive: true });
    for (const script of ['file-tumble.mjs', 'interval-join.mjs', 'kafka-tumble.mjs'])
      if (existsSync(join(from, script))) copyFileSync(join(from, script), join(this.folder, script));
  }

  has(run: PrototypeRun): boolean {
    return existsSync(join(this.folder, run.script));
  }

  /** Seconds that a prototype took; they print millions of events a second. */
  async seconds(run: PrototypeRun, events: number): Promise<number> {
    const output = await runChild(join(this.folder, run.script), run.args);
    const rate = Number(/([\d.]+) M\/s/.exec(output)?.[1]);
    if (!(rate > 0)) throw new Error(`${run.script} says no rate: ${output}`);
    return (run.script === 'interval-join.mjs' ? JOIN_EVENTS : events) / (rate * 1e6);
  }
}
