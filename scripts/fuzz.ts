import { parseArgs } from 'node:util';
import { campaign, summary } from '../test/fuzz/campaign.ts';
import { spent } from '../test/fuzz/run.ts';

const USAGE = `usage: npm run fuzz -- --minutes N [--seed S] [--groups G] [--failures F]

Runs random queries over random input, and holds every view against plain DuckDB after every epoch.
  --minutes  for so long
  --seed     the first group's (a random one without it); group i has the seed S + i
  --groups   so many at most: --seed S --groups 1 runs a failure again
  --failures ends after so many (10)`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    groups: { type: 'string' },
    failures: { type: 'string' },
  },
});
const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
const [minutes, groups] = [number(values.minutes), number(values.groups)];
if (minutes === undefined && groups === undefined) {
  console.error(USAGE);
  process.exit(2);
}
const seed = number(values.seed) ?? Math.floor(Math.random() * 1_000_000_000);
console.log(`seed ${seed}`);
const tally = await campaign({
  seed,
  groups,
  deadline: minutes === undefined ? undefined : performance.now() + minutes * 60_000,
  shrinkMs: 120_000,
  mostFailures: number(values.failures) ?? 10,
  onFailure: (text) => console.log(`\n${text}`),
});
console.log(summary(tally));
const parts = Object.entries(spent).map(([part, ms]) => `${part} ${(ms / 1000).toFixed(1)}`);
console.log(`\nseconds, of all that went on at once: ${parts.join(', ')}`);
process.exit(tally.failures.length === 0 ? 0 : 1);
