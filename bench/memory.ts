import { runEngine } from './compare.ts';
import { tumble } from './queries.ts';
import type { Line } from './report.ts';
import { streamFile } from './source.ts';
import { spread } from './statistics.ts';

const MOST_MB = 600;
const MOST_GROWTH = 1.2;

/** Peak memory must not grow with the input: the tumbling aggregate over few bids and over ten times as many. */
export async function memory(few: string, many: string, runs: number, threads: number): Promise<Line> {
  const peaks: { few: number; many: number }[] = [];
  for (let i = 0; i < runs; i++) {
    const peakOf = async (path: string): Promise<number> => {
      const text = streamFile(tumble, { kind: 'file', format: 'ndjson', path });
      return (await runEngine(text, threads)).peakMb;
    };
    peaks.push({ few: await peakOf(few), many: await peakOf(many) });
  }
  const [small, large] = [spread(peaks.map((peak) => peak.few)), spread(peaks.map((peak) => peak.many))];
  const growth = spread(peaks.map((peak) => peak.many / peak.few)).median;
  return {
    name: 'memory',
    peakMb: large.max,
    note: `${small.median.toFixed(0)} MB, with ten times the input ${large.median.toFixed(0)} MB: ${growth.toFixed(2)} times`,
    targets: [
      { text: `at most ${MOST_GROWTH} times`, reached: growth <= MOST_GROWTH },
      { text: `under ${MOST_MB} MB`, reached: large.max < MOST_MB },
    ],
  };
}
