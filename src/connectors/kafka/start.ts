import { EARLIEST, LATEST, type Cluster } from './cluster.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { nameOf, type TopicPartition } from './topics.ts';

/** Where a run that begins reads first. */
export interface Start {
  /** `timestamp`: at the first record with that time, ms since 1970, or a later one. */
  readonly at: 'earliest' | 'latest' | { readonly timestamp: number };
  /** By the partition's name; these go before `at`. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** Undefined where it is none. Without a zone it is UTC, as everywhere. */
export function parseStart(text: string): Start['at'] | undefined {
  const word = text.trim().toLowerCase();
  if (word === 'earliest' || word === 'latest') return word;
  const match = /^(\d{4}-\d\d-\d\d)(?:[t ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?\s*(z|[+-]\d\d:\d\d)?$/.exec(word);
  const [, day = '', time = '00:00', zone = 'z'] = match ?? [];
  const timestamp = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  // The 30th of February would be the 2nd of March.
  if (Number.isNaN(timestamp) || new Date(`${day}T00:00Z`).toISOString().slice(0, 10) !== day) return undefined;
  // Kafka has no times before 1970, and its offsets are asked for by negative numbers.
  return { timestamp: Math.max(0, timestamp) };
}

/** `'0:100,1:200'`, or with several topics `'orders-0:100'`; undefined where it is not that. `only`: the one topic there is. */
export function parseOffsets(text: string, only: string | undefined): Map<string, number> | undefined {
  const offsets = new Map<string, number>();
  for (const part of text.split(',')) {
    const [, topic = only, partition, offset] = /^\s*(?:([\w.-]+)-)?(\d+)\s*:\s*(\d+)\s*$/.exec(part) ?? [];
    if (topic === undefined || partition === undefined || !Number.isSafeInteger(Number(offset))) return undefined;
    const name = nameOf({ topic, partition: Number(partition) });
    if (offsets.has(name)) return undefined;
    offsets.set(name, Number(offset));
  }
  return offsets;
}

/** Where partitions begin, and which offsets there are. */
export interface Extent {
  readonly starts: ReadonlyMap<string, number>;
  readonly firsts: ReadonlyMap<string, number>;
  readonly ends: ReadonlyMap<string, number>;
}

/** All by the partition's name. */
export async function extentOf(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  start: Start,
  retry: <T>(attempt: () => Promise<T>) => Promise<T>,
): Promise<Extent> {
  const firsts = await retry(() => cluster.offsets(partitions, EARLIEST));
  const ends = await retry(() => cluster.offsets(partitions, LATEST));
  const { at } = start;
  const timed =
    typeof at === 'object' ? await retry(() => cluster.offsets(partitions, BigInt(at.timestamp))) : undefined;
  const begin = (name: string): number => {
    const [first, end] = [firsts.get(name) ?? 0, ends.get(name) ?? 0];
    if (at === 'earliest') return first;
    const found = timed?.get(name) ?? -1;
    return at === 'latest' || found < 0 ? end : found;
  };
  for (const [name, offset] of start.offsets) {
    const end = ends.get(name);
    if (end === undefined)
      throw new StreamsqlError('SOURCE', `there is no partition ${name}, which start_offsets names`, {
        hint: ends.size === 0 ? 'there is none yet' : `there are ${[...ends.keys()].slice(0, 10).join(', ')}`,
      });
    if (offset > end)
      throw new StreamsqlError('SOURCE', `${name} ends at offset ${end}, before ${offset}, its start_offsets`, {
        hint: 'an offset may be as far as the end, where the next record comes',
      });
  }
  const starts = partitions.map(nameOf).map((name): [string, number] => [name, start.offsets.get(name) ?? begin(name)]);
  return { starts: new Map(starts), firsts, ends };
}

/** Of a run that begins: nothing that it has read is gone. */
export const beginsAfter = (name: string, first: number, offset: number): StreamsqlError =>
  new StreamsqlError('GAP', `${name} begins at offset ${first}, after ${offset}, its start_offsets`, {
    hint: 'the topic no longer keeps what was there (retention): give another offset, or begin at the first, with --on-gap skip',
  });
