const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** The hash by which Kafka's own clients choose a key's partition. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const tail = length & ~3;
  let h = SEED ^ length;
  for (let i = 0; i < tail; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, M);
    k = Math.imul(k ^ (k >>> 24), M);
    h = Math.imul(h, M) ^ k;
  }
  const left = length - tail;
  if (left > 2) h ^= bytes[tail + 2]! << 16;
  if (left > 1) h ^= bytes[tail + 1]! << 8;
  if (left > 0) h = Math.imul(h ^ bytes[tail]!, M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/** The partition of a key, as the Java client's default has it. */
export const partitionOf = (key: Uint8Array, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions;
