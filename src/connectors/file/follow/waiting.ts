import type { FoundFile } from '../glob.ts';
import type { FileStat } from './identity.ts';

/** A file that is not in the list yet. */
export interface Candidate {
  readonly file: FoundFile;
  readonly seen: FileStat;
  /** There was no record in it yet. */
  isTried?: boolean;
}

/** The files that are not in the list yet, by their paths. */
export class Waiting {
  private readonly files = new Map<string, Candidate>();

  get paths(): Iterable<string> {
    return this.files.keys();
  }

  at(path: string): Candidate | undefined {
    return this.files.get(path);
  }

  /** Unless it is waiting as it is. */
  put(candidate: Candidate): void {
    const { file, seen } = candidate;
    const known = this.files.get(file.path)?.seen;
    const isAsItWas = known?.inode === seen.inode && known.size === seen.size && known.modified === seen.modified;
    if (!isAsItWas) this.files.set(file.path, candidate);
  }

  drop(path: string): void {
    this.files.delete(path);
  }

  /** Those that may have records, in the order in which they were last written to. */
  get inOrder(): readonly Candidate[] {
    const all = [...this.files.values()].filter(({ isTried }) => isTried !== true);
    return all.sort((a, b) => Number(a.seen.modified - b.seen.modified) || byName(a, b));
  }

  get byName(): readonly Candidate[] {
    return [...this.files.values()].sort(byName);
  }
}

const byName = (a: Candidate, b: Candidate): number =>
  a.file.name < b.file.name ? -1 : a.file.name > b.file.name ? 1 : 0;
