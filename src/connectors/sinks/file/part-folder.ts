import { join, sep } from 'node:path';
import { StreamsqlError } from '../../../base/errors.ts';
import { syncAll, type Disk } from './disk.ts';
import { PENDING, covers, named, pendingEpoch, setName, type Epochs } from './part-names.ts';

export interface Owner {
  readonly sink: string;
  readonly job: string;
}

/** What the marker in the folder says: whose parts these are, and whether the run that wrote them came to its end. */
interface Marker extends Owner {
  readonly finished: boolean;
}

/** What of the sink's own is in the folder. */
interface Survey {
  readonly parts: readonly { readonly path: string; readonly epochs: Epochs }[];
  readonly sets: readonly Epochs[];
  readonly pending: readonly number[];
  /** Half written. */
  readonly asides: readonly string[];
  /** The folders of the keys, the inner ones first. */
  readonly folders: readonly string[];
}

const MARKER = '.streamsql-sink';

/** The folder of one file sink. Every name in it that the sink touches is one that the sink gives. */
export class PartFolder {
  readonly path: string;
  readonly disk: Disk;
  private readonly owner: Owner;

  constructor(path: string, owner: Owner, disk: Disk) {
    this.path = path;
    this.owner = owner;
    this.disk = disk;
  }

  at(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  get pendingPath(): string {
    return this.at(PENDING);
  }

  /** Makes the folder ready for a run that begins, or throws SINK where what is there may not be touched. */
  async begin(fresh: boolean): Promise<void> {
    await this.disk.makeFolder(this.path);
    const marker = await this.marker();
    const { parts, sets, pending, asides, folders } = await this.survey();
    const left = parts.length + pending.length;
    this.checkOwner(marker, left);
    if (marker?.finished === false && left > 0 && !fresh)
      throw new StreamsqlError('SINK', `the folder ${this.path} holds parts of a run that did not come to its end`, {
        hint: 'run with --fresh to remove them, or give another path',
      });
    for (const { path } of parts) await this.disk.remove(path);
    for (const path of asides) await this.disk.remove(path);
    for (const epochs of sets) await this.disk.remove(this.at(setName(epochs)));
    const own = folders.filter((folder) => parts.some(({ path }) => path.startsWith(join(folder, sep))));
    await syncAll(own, (path) => this.disk.syncFolder(path));
    for (const path of own) await this.disk.removeEmpty(path);
    await this.disk.remove(this.pendingPath);
    await this.mark(false);
  }

  /**
   * Makes the folder ready for a run that goes on after an epoch: what is visible stays, what is half written goes. Throws
   * where the folder is of another job, or knows of epochs that the run does not. What it gives says whether that epoch is in
   * a part or waits for one, and which sets are to be brought to their places.
   */
  async resume(epoch: number): Promise<{ known: boolean; sets: readonly Epochs[]; pending: readonly number[] }> {
    await this.disk.makeFolder(this.path);
    const marker = await this.marker();
    const { parts, sets, pending, asides } = await this.survey();
    this.checkOwner(marker, parts.length + pending.length);
    if (marker !== undefined && marker.job !== '' && marker.job !== this.owner.job)
      throw new StreamsqlError('SINK', `the folder ${this.path} belongs to the sink ${marker.sink} of another run`, {
        hint: 'give the sink a folder of its own, or run with --fresh to begin again',
      });
    const newest = Math.max(...parts.map(({ epochs }) => epochs.last), ...pending);
    if (newest > epoch)
      throw new StreamsqlError(
        'STATE',
        `the folder ${this.path} holds rows of epoch ${newest}, and the run goes on after epoch ${epoch}: its results are older than what the sink ${this.owner.sink} wrote`,
        { hint: 'put the newer results database and state back, or run with --fresh to begin again' },
      );
    for (const path of asides) await this.disk.remove(path);
    for (const one of sets) if (one.last > epoch) await this.disk.remove(this.at(setName(one)));
    await this.mark(false);
    const settled = sets.filter(({ last }) => last <= epoch);
    return {
      known: [...settled, ...parts.map(({ epochs }) => epochs)].some((one) => covers(one, epoch)) || pending.includes(epoch), // prettier-ignore
      sets: settled,
      pending,
    };
  }

  /** The run came to its end: the next one may replace its parts. */
  async finish(): Promise<void> {
    await this.mark(true);
  }

  /** Removes what the epoch's rows were written to, which is not published and will not be. */
  async discard(path: string): Promise<void> {
    await this.disk.remove(path);
    await this.disk.syncFolder(this.path);
  }

  /**
   * Moves the parts of a set to their places, and then removes the rows that waited for it. May be repeated: while the set is
   * there, it says what is still to be done; where it is not, nothing is.
   */
  async publishSet(epochs: Epochs): Promise<void> {
    const { disk } = this;
    const set = this.at(setName(epochs));
    if ((await disk.measure(set)) === undefined) return;
    const { files, folders } = await this.tree(set);
    for (const folder of folders) await disk.makeFolder(this.at(folder));
    for (const file of files) await disk.rename(join(set, file), this.at(file.slice(0, -'.tmp'.length)));
    // Also where all has been moved before: an attempt that ended may not have come to this.
    const touched = [this.path, ...folders.map((folder) => this.at(folder))];
    await syncAll(touched, (path) => disk.syncFolder(path));
    const gone = (await disk.list(this.pendingPath)).filter(({ name }) => {
      const epoch = pendingEpoch(name);
      return epoch !== undefined && covers(epochs, epoch);
    });
    for (const { name } of gone) await disk.remove(this.at(PENDING, name));
    if (gone.length > 0) await disk.syncFolder(this.pendingPath);
    await disk.remove(set);
  }

  /** What is below a folder, as paths from it, the outer ones first. */
  async tree(folder: string): Promise<{ files: readonly string[]; folders: readonly string[] }> {
    const files: string[] = [];
    const folders: string[] = [];
    const visit = async (from: string): Promise<void> => {
      for (const entry of await this.disk.list(join(folder, from))) {
        const path = join(from, entry.name);
        (entry.folder ? folders : files).push(path);
        if (entry.folder) await visit(path);
      }
    };
    await visit('');
    return { files, folders };
  }

  private checkOwner(marker: Marker | undefined, left: number): void {
    if (marker === undefined) {
      if (left === 0) return;
      throw new StreamsqlError('SINK', `the folder ${this.path} holds parts that sink ${this.owner.sink} did not write`, {
        hint: 'give the sink a folder of its own, or move the parts away',
      }); // prettier-ignore
    }
    if (marker.sink === this.owner.sink) return;
    throw new StreamsqlError('SINK', `the folder ${this.path} belongs to the sink ${marker.sink}`, {
      hint: `give ${this.owner.sink} a folder of its own`,
    });
  }

  private async survey(): Promise<Survey> {
    const parts: { path: string; epochs: Epochs }[] = [];
    const sets: Epochs[] = [];
    const asides: string[] = [];
    const folders: string[] = [];
    const visit = async (folder: string): Promise<void> => {
      for (const entry of await this.disk.list(folder)) {
        const path = join(folder, entry.name);
        const known = named(entry.name);
        if (known?.kind === 'part' && !entry.folder) parts.push({ path, epochs: known.epochs });
        else if (folder === this.path && known?.kind === 'aside') asides.push(path);
        else if (folder === this.path && known?.kind === 'set') sets.push(known.epochs);
        else if (entry.folder && /^[^.].*=/.test(entry.name)) {
          await visit(path);
          folders.push(path);
        }
      }
    };
    await visit(this.path);
    const pending: number[] = [];
    for (const { name } of await this.disk.list(this.pendingPath)) {
      const epoch = pendingEpoch(name);
      if (epoch === undefined) asides.push(this.at(PENDING, name));
      else pending.push(epoch);
    }
    return { parts, sets, pending, asides, folders };
  }

  private async marker(): Promise<Marker | undefined> {
    const text = await this.disk.read(this.at(MARKER));
    if (text === undefined) return undefined;
    const [sink, state, job] = text.split('\n');
    return { sink: sink ?? '', finished: state === 'finished', job: job ?? '' };
  }

  /** The last thing of what makes the folder ready: its sync makes all names before it stay, and what was removed stay away. */
  private async mark(finished: boolean): Promise<void> {
    const aside = this.at(`${MARKER}.tmp`);
    const { sink, job } = this.owner;
    await this.disk.write(aside, `${sink}\n${finished ? 'finished' : 'running'}\n${job}\n`);
    await this.disk.sync(aside);
    await this.disk.rename(aside, this.at(MARKER));
    await this.disk.syncFolder(this.path);
  }
}
