import type { Method } from './compare.ts';
import { tumble } from './queries.ts';
import type { Line } from './report.ts';
import { shares } from './shares.ts';
import { streamFile, type Input } from './source.ts';

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

/** What metadata columns cost: the tumbling windows over a topic with them declared beside without. */
export function metadataCosts(
  names: readonly string[],
  input: Input & { readonly kind: 'kafka' },
  method: Method,
): Promise<readonly Line[]> {
  const plain = streamFile(tumble, input);
  const declared = (name: string): string => plain.replace('bids (', `bids (${(KINDS[name] ?? []).join(', ')}, `);
  const variants = names.map((name) => ({ name, sql: declared(name), wanted: LEAST_SHARE }));
  return shares({ plain, of: 'of without', variants, method });
}
