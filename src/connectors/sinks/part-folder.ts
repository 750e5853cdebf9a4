import { access, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StreamsqlError } from '../../base/errors.ts';
import { PART_FORMATS, type PartFormat } from './part-format.ts';

/** What the marker in the folder says: whose parts these are, and whether the run that wrote them came to its end. */
interface Marker {
  readonly sink: string;
  readonly finished: boolean;
}

const MARKER = '.streamsql-sink';
const PART = new RegExp(`^part-\\d{8,}\\.(${PART_FORMATS.join('|')})$`);
const ASIDE = new RegExp(`^\\.part-\\d{8,}\\.(${PART_FORMATS.join('|')})\\.tmp$`);

/** The folder of one file sink. Every name in it that the sink touches is one that the sink gives. */
export class PartFolder {
  readonly path: string;
  private readonly sink: string;
  private readonly format: PartFormat;

  constructor(path: string, sink: string, format: PartFormat) {
    this.path = path;
    this.sink = sink;
    this.format = format;
  }

  /** Makes the folder ready for a new run, or throws SINK where its parts may not be touched. */
  async claim(fresh: boolean): Promise<void> {
    await mkdir(this.path, { recursive: true });
    const names = await readdir(this.path);
    const parts = names.filter((name) => PART.test(name));
    this.check(await this.marker(), parts.length, fresh);
    for (const name of [...parts, ...names.filter((name) => ASIDE.test(name))]) await rm(join(this.path, name));
    await this.mark({ sink: this.sink, finished: false });
  }

  /** Where the epoch's part is written: in the folder itself, for a rename does not cross file systems. */
  aside(epoch: number): string {
    return join(this.path, `.${this.partName(epoch)}.tmp`);
  }

  /** Makes the part that was written aside visible, for good. May be repeated. */
  async publish(epoch: number): Promise<void> {
    const part = join(this.path, this.partName(epoch));
    try {
      await rename(this.aside(epoch), part);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await access(part);
    }
    await this.syncNames();
  }

  /** The run came to its end: the next one may replace its parts. */
  async finish(): Promise<void> {
    await this.mark({ sink: this.sink, finished: true });
  }

  /** Waits until a part's content is on disk. */
  async sync(part: string): Promise<void> {
    const handle = await open(part, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Waits until the folder's names are on disk. Windows has no such call for a folder, and keeps them by itself. */
  private async syncNames(): Promise<void> {
    if (process.platform === 'win32') return;
    const handle = await open(this.path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  private check(marker: Marker | undefined, parts: number, fresh: boolean): void {
    if (marker === undefined) {
      if (parts === 0) return;
      throw new StreamsqlError('SINK', `the folder ${this.path} holds parts that sink ${this.sink} did not write`, {
        hint: 'give the sink a folder of its own, or move the parts away',
      });
    }
    if (marker.sink !== this.sink) {
      throw new StreamsqlError('SINK', `the folder ${this.path} belongs to the sink ${marker.sink}`, {
        hint: `give ${this.sink} a folder of its own`,
      });
    }
    if (marker.finished || parts === 0 || fresh) return;
    throw new StreamsqlError('SINK', `the folder ${this.path} holds parts of a run that did not come to its end`, {
      hint: 'run with --fresh to remove them, or give another path',
    });
  }

  private partName(epoch: number): string {
    return `part-${String(epoch).padStart(8, '0')}.${this.format}`;
  }

  private async marker(): Promise<Marker | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.path, MARKER), 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    const [sink, state] = text.split('\n');
    return { sink: sink ?? '', finished: state === 'finished' };
  }

  private async mark({ sink, finished }: Marker): Promise<void> {
    const aside = join(this.path, `${MARKER}.tmp`);
    await writeFile(aside, `${sink}\n${finished ? 'finished' : 'running'}\n`, { flush: true });
    await rename(aside, join(this.path, MARKER));
    await this.syncNames();
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
