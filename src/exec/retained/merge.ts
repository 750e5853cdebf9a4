import { join as joinPath } from 'node:path';
import { join, raw, sql } from '../../base/sql.ts';
import type { RetainedFile, RetainedRange } from '../checkpoint/manifest.ts';
import { noPattern } from '../checkpoint/restore-table.ts';
import type { KeeperHost } from './source-keeper.ts';

/** So many neighbours of one level become one file of the next. */
const TOGETHER = 8;
/** A file that would be larger is none, bytes. */
const LARGEST = 32 << 20;

/** Neighbours that are to become one file: so there are few of them, and none that holds more than a part of the time that is retained. */
export function toMerge(files: readonly RetainedFile[], retainMs: number): readonly RetainedFile[] | undefined {
  const group = files.slice(-TOGETHER);
  const [first, last] = [group.at(0), group.at(-1)];
  if (group.length < TOGETHER || first === undefined || last === undefined) return undefined;
  if (group.some(({ level }) => level !== last.level)) return undefined;
  if (group.reduce((sum, { bytes }) => sum + bytes, 0) > LARGEST) return undefined;
  const spanMs = Number(BigInt(last.clock) - BigInt(first.since)) / 1000;
  return spanMs > retainMs / TOGETHER ? undefined : group;
}

/** Writes neighbours as one file; or names one that is not as it was written. */
export async function mergedFile(
  { folder, disk, connection }: KeeperHost,
  group: readonly RetainedFile[],
  path: string,
): Promise<RetainedFile | { readonly damaged: string }> {
  const [first, last] = [group.at(0), group.at(-1)];
  for (const file of group) {
    const found = await disk.measure(joinPath(folder, file.path)).catch(() => undefined);
    if (found?.crc32 !== file.crc32 || found.bytes !== file.bytes) return { damaged: file.path };
  }
  if (first === undefined || last === undefined) return { damaged: path };
  const paths = join(group.map((file) => sql`${noPattern(joinPath(folder, file.path))}`));
  const full = joinPath(folder, path);
  const rows = await connection.run(
    sql`COPY (SELECT * FROM read_parquet([${paths}])) TO ${full} (FORMAT parquet, COMPRESSION ${raw('zstd')})`,
  );
  return {
    path,
    ...(await disk.measure(full)),
    rows,
    level: last.level + 1,
    epochs: { first: first.epochs.first, last: last.epochs.last },
    since: first.since,
    clock: last.clock,
    partitions: together(group.flatMap(({ partitions }) => partitions)),
  };
}

function together(ranges: readonly RetainedRange[]): readonly RetainedRange[] {
  const all = new Map<string, RetainedRange>();
  for (const range of ranges) all.set(range.name, { ...range, from: all.get(range.name)?.from ?? range.from });
  return [...all.values()];
}
