import type { Outcome } from './child.ts';
import { runEngine, type Method } from './compare.ts';
import { tumble } from './queries.ts';
import type { Line } from './report.ts';
import { streamFile, type Input } from './source.ts';
import { spread } from './statistics.ts';

const LEAST_SHARE = 0.85;
const PLACE = ["p INT METADATA FROM 'partition'", 'topic VARCHAR METADATA', '"offset" BIGINT METADATA'];
const TIME = ['"timestamp" TIMESTAMP METADATA'];
const REST = [
  '"timestamp-type" VARCHAR METADATA',
  "k VARCHAR METADATA FROM 'key'",
  'headers MAP(VARCHAR, VARCHAR) METADATA',
];

/** By the name of the case. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  'metadata-time-kafka': TIME,
  'metadata-place-kafka': PLACE,
  'metadata-time-place-kafka': [...TIME, ...PLACE],
  'metadata-all-kafka': [...TIME, ...PLACE, ...REST],
};

export const METADATA_CASES = Object.keys(KINDS);

/** What metadata columns cost: the tumbling windows over a topic with them declared beside without, every other time the other way round. */
export async function* metadataCosts(
  names: readonly string[],
  input: Input & { readonly kind: 'kafka' },
  method: Method,
): AsyncGenerator<Line> {
  const plain = streamFile(tumble, input);
  for (const name of names) {
    const declared = plain.replace('bids (', `bids (${(KINDS[name] ?? []).join(', ')}, `);
    const pairs: { readonly with: Outcome; readonly without: Outcome }[] = [];
    for (let i = method.warmUp ? -1 : 0; i < method.pairs; i++) {
      const parts: { with?: Outcome; without?: Outcome } = {};
      const steps = [
        async () => void (parts.with = await runEngine(declared, method.threads)),
        async () => void (parts.without = await runEngine(plain, method.threads)),
      ];
      for (const step of i % 2 === 0 ? steps : steps.reverse()) await step();
      if (parts.with === undefined || parts.without === undefined) throw new Error('a run gave nothing');
      if (i >= 0) pairs.push({ with: parts.with, without: parts.without });
    }
    if (pairs.some((pair) => pair.with.answer !== pair.without.answer)) {
      yield { name, targets: [], wrong: 'with metadata columns the answer is another' };
      continue;
    }
    const share = spread(pairs.map((pair) => pair.without.seconds / pair.with.seconds));
    const cpu = spread(pairs.map((pair) => pair.with.cpuSeconds / pair.without.cpuSeconds));
    const rate = spread(pairs.map((pair) => method.events / pair.with.seconds));
    yield {
      name,
      note: `${(rate.median / 1e6).toFixed(2)} M ev/s, ${share.median.toFixed(2)} (${share.min.toFixed(2)}–${share.max.toFixed(2)}) of the rate without, ${cpu.median.toFixed(2)} (${cpu.min.toFixed(2)}–${cpu.max.toFixed(2)}) of the CPU`,
      targets: [{ text: `${LEAST_SHARE} of without`, reached: share.median >= LEAST_SHARE }],
    };
  }
}
