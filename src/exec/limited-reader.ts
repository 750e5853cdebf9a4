import { setTimeout as sleep } from 'node:timers/promises';
import type { PartitionState, SourceReader } from '../base/connector.ts';

const NOTHING_MS = 5;

/** A reader that reads each partition to a limit and stays there; partitions that have none are not read. */
export function limited(reader: SourceReader, limits: ReadonlyMap<string, number>): SourceReader {
  const states = new Map<PartitionState, PartitionState>();
  const stateOf = (inner: PartitionState): PartitionState => {
    const known = states.get(inner);
    if (known !== undefined) return known;
    const end = limits.get(inner.name) ?? inner.position;
    const state = {
      name: inner.name,
      end,
      get position() {
        return inner.position;
      },
      get done() {
        return inner.done;
      },
    };
    states.set(inner, state);
    return state;
  };
  return {
    open: () => reader.open(),
    get partitions() {
      return reader.partitions.map(stateOf);
    },
    async poll(request) {
      const upTo = new Map(
        reader.partitions.flatMap((partition, index) => {
          const limit = limits.get(partition.name);
          return limit === undefined || partition.position >= limit ? [] : [[index, limit] as const];
        }),
      );
      if (upTo.size > 0) return reader.poll({ ...request, upTo });
      await sleep(NOTHING_MS);
      return [];
    },
    peek: async (partition) => reader.peek?.(partition),
    close: () => reader.close(),
  };
}
