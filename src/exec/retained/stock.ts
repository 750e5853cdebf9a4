import { setImmediate as turn } from 'node:timers/promises';
import type { CsvDialect } from '../../base/connector.ts';
import type { RetainedFile, RetainedSource } from '../checkpoint/manifest.ts';
import { damageText, verifyFile } from '../checkpoint/read-manifest.ts';

/** What is retained of a partition: the records from one position up to another. */
export interface KeptPartition {
  readonly name: string;
  /** Where it would begin if each file were whole; what is before is older than was asked for. */
  readonly floor: number;
  readonly from: number;
  readonly to: number;
  /** Of the chunk that ended at `to`. */
  readonly ordinal: number | undefined;
  /** Of records of CSV. */
  readonly dialect: CsvDialect | undefined;
}

/** The retained records of a source that can be read. */
export interface Stock {
  readonly files: readonly RetainedFile[];
  readonly partitions: ReadonlyMap<string, KeptPartition>;
  /** What is wrong with the last file that is not whole: what is in it and before is of no use. */
  readonly damage: string | undefined;
}

/** Looks at each file, from the newest to the first that is not whole. */
export async function stockOf({ files, partitions }: RetainedSource, folder: string): Promise<Stock> {
  let first = files.length;
  let damage: string | undefined;
  for (; first > 0; first--) {
    const file = files[first - 1];
    const found = file === undefined ? undefined : verifyFile(file, folder);
    if (found !== undefined) {
      damage = damageText(found);
      break;
    }
    await turn();
  }
  const lost = new Map(files.slice(0, first).flatMap((file) => file.partitions.map(({ name, to }) => [name, to] as const))); // prettier-ignore
  const kept = partitions.map(({ name, from, to, ordinal, dialect }): KeptPartition => {
    const header = dialect?.header.map((column) => column ?? undefined) ?? [];
    return {
      name,
      floor: from,
      from: Math.max(from, lost.get(name) ?? from),
      to,
      ordinal: ordinal ?? undefined,
      dialect: dialect === undefined ? undefined : { ...dialect, header },
    };
  });
  return { files: files.slice(first), partitions: new Map(kept.map((each) => [each.name, each])), damage };
}
