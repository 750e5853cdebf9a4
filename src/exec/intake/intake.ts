import { dirname, join as joinPath } from 'node:path';
import { StreamsqlError } from '../../base/errors.ts';
import type { Fault } from '../../base/fault.ts';
import type { IntakeLog } from '../../base/intake.ts';
import type { Disk } from '../checkpoint/disk.ts';
import { INTAKE_FOLDER } from '../claim.ts';
import { fileStem } from '../checkpoint/file-stem.ts';
import { memoryDisk } from './memory-disk.ts';
import { PartitionLog, type LogHost } from './partition-log.ts';

const SEGMENT_BYTES = 16 << 20;
/** In memory what is taken goes soon. */
const SEGMENT_BYTES_IN_MEMORY = 1 << 20;

/** Where sources stand: what is before that is not read again. */
export type Stands = readonly {
  readonly name: string;
  readonly partitions: readonly { readonly name: string; readonly position: number }[];
}[];

/** The logs of a run: of all its sources whose bytes cannot be read again. */
export class Intake {
  private readonly fault: Fault;
  private readonly warn: (message: string) => void;
  private readonly logs = new Map<string, Promise<PartitionLog>>();
  private readonly begun: Promise<{ readonly host: LogHost; readonly folder: string }>;
  private settle: { begin(at: { host: LogHost; folder: string }): void; end(error: Error): void } | undefined;

  constructor(fault: Fault, warn: (message: string) => void) {
    this.fault = fault;
    this.warn = warn;
    this.begun = new Promise((begin, end) => (this.settle = { begin, end }));
    this.begun.catch(() => undefined);
  }

  /** The state folder is this run's now; undefined where nothing is kept, and the logs are in memory. */
  begin(state: string | undefined, disk: Disk): void {
    const { fault, warn } = this;
    if (state === undefined) {
      this.settle?.begin({
        folder: '',
        host: { disk: memoryDisk(), fault, warn, segmentBytes: SEGMENT_BYTES_IN_MEMORY },
      });
      return;
    }
    this.settle?.begin({
      folder: joinPath(state, INTAKE_FOLDER),
      host: { disk, fault, warn, segmentBytes: SEGMENT_BYTES },
    });
  }

  of(source: string, live: boolean): IntakeLog {
    return { live, partition: (name) => this.partition(source, name) };
  }

  private partition(source: string, name: string): Promise<PartitionLog> {
    const key = JSON.stringify([source, name]);
    let log = this.logs.get(key);
    if (log === undefined) {
      log = this.open(source, name);
      log.catch(() => undefined);
      this.logs.set(key, log);
    }
    return log;
  }

  private async open(source: string, name: string): Promise<PartitionLog> {
    const { host, folder } = await this.begun;
    const outer = joinPath(folder, fileStem(source));
    const log = await PartitionLog.open(host, joinPath(outer, fileStem(name)), `${source}, ${name}`);
    for (const each of [outer, folder, dirname(folder)]) await host.disk.syncFolder(each);
    return log;
  }

  /** Lets go of what nothing goes on from any more. */
  async forget(stands: Stands): Promise<void> {
    for (const { name, partitions } of stands) {
      for (const partition of partitions) {
        const log = await this.logs.get(JSON.stringify([name, partition.name]));
        await log?.forget(partition.position);
      }
    }
    await this.removeOthers(new Set(stands.map(({ name }) => name)));
  }

  /** The logs of sources that neither this run has nor what may be gone on from. */
  private async removeOthers(sources: ReadonlySet<string>): Promise<void> {
    const { host, folder } = await this.begun;
    const own = [...this.logs.keys()].map((key) => (JSON.parse(key) as [string])[0]);
    const known = new Set([...sources, ...own].map((name) => fileStem(name)));
    for (const name of await host.disk.list(folder))
      if (!known.has(name)) await host.disk.remove(joinPath(folder, name));
  }

  /** Whoever waits for a log that has not begun waits in vain. */
  abandon(): void {
    this.settle?.end(new StreamsqlError('SOURCE', 'the run ended before it began'));
  }

  async close(): Promise<void> {
    this.abandon();
    for (const log of this.logs.values()) await log.then((open) => open.close()).catch(() => undefined);
  }
}
