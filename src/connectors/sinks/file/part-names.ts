/** The epochs whose rows a part holds, both ends included. */
export interface Epochs {
  readonly first: number;
  readonly last: number;
}

/**
 * What a name in the folder says. `part`: rows that readers see. `aside`: something half written. `set`: a folder of parts
 * that are whole and on their way to their places.
 */
export interface Named {
  readonly kind: 'part' | 'aside' | 'set';
  readonly epochs: Epochs;
}

const digits = (epoch: number): string => String(epoch).padStart(8, '0');

const stem = ({ first, last }: Epochs): string =>
  first === last ? `part-${digits(first)}` : `part-${digits(first)}-${digits(last)}`;

/** `part-00000007.json`, `part-00000007-00000012.csv.gz`; with an index where a folder gets several parts of the same epochs. */
export const partName = (epochs: Epochs, extension: string, index = 0): string =>
  `${stem(epochs)}${index === 0 ? '' : `.${index}`}.${extension}`;

/** Neither hidden names nor `.tmp` are what a reader's pattern asks for; DuckDB's `**` does find hidden folders. */
export const asideName = (name: string): string => `.${name}.tmp`;

export const setName = (epochs: Epochs): string => `.${stem(epochs)}.set`;

const NAME =
  /^(?<hidden>\.?)part-(?<first>\d{8,})(?:-(?<last>\d{8,}))?(?:\.\d+)?\.(?<set>set|parquet|(?:json|csv)(?:\.gz|\.zst)?)(?<aside>\.tmp)?$/;

export function named(name: string): Named | undefined {
  const found = NAME.exec(name)?.groups;
  if (found === undefined) return undefined;
  const first = Number(found['first']);
  const epochs = { first, last: found['last'] === undefined ? first : Number(found['last']) };
  const [hidden, aside, set] = [found['hidden'] === '.', found['aside'] !== undefined, found['set'] === 'set'];
  if (hidden && aside) return { kind: 'aside', epochs };
  if (hidden && set) return { kind: 'set', epochs };
  return hidden || aside || set ? undefined : { kind: 'part', epochs };
}

export const covers = ({ first, last }: Epochs, epoch: number): boolean => first <= epoch && epoch <= last;

/** Where the rows of epochs wait that are not in a part yet. */
export const PENDING = '.pending';

export const pendingName = (epoch: number): string => `${digits(epoch)}.tmp`;
export const pendingAside = (epoch: number): string => `${digits(epoch)}.aside.tmp`;

export function pendingEpoch(name: string): number | undefined {
  const found = /^(\d{8,})\.tmp$/.exec(name)?.[1];
  return found === undefined ? undefined : Number(found);
}
