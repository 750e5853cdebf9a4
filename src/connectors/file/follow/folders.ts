import { matchingFiles, type FoundFile } from '../glob.ts';
import { modifiedOf } from './identity.ts';
import { FolderWatch } from './watch.ts';

/** Rounds after which the folders are read whether or not they seem to have changed. */
const FULL_ROUNDS = 30;

/** The folders that a path looks into, watched, and what matched in them when they were read last. */
export class Folders {
  readonly watch = new FolderWatch();
  matched: ReadonlyMap<string, FoundFile> = new Map();
  private readonly patterns: string;
  private readonly cwd: string;
  private times = new Map<string, bigint | undefined>();
  private rounds = 0;

  constructor(patterns: string, cwd: string) {
    this.patterns = patterns;
    this.cwd = cwd;
  }

  async read(): Promise<void> {
    const { files, folders } = await matchingFiles(this.patterns, this.cwd);
    this.watch.follow(folders);
    this.times = new Map();
    for (const folder of folders) this.times.set(folder, await modifiedOf(folder));
    this.matched = new Map(files.map((file) => [file.path, file]));
  }

  /** Once in a round: whether they are to be read anew. */
  async haveChanged(): Promise<boolean> {
    if (++this.rounds % FULL_ROUNDS === 0 || this.matched.size === 0) return true;
    for (const [folder, time] of this.times) if ((await modifiedOf(folder)) !== time) return true;
    return false;
  }
}
