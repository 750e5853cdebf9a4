import type { Sql } from '../../../base/sql.ts';
import { settle } from './disk.ts';
import type { PartFolder } from './part-folder.ts';
import { setName } from './part-names.ts';
import type { PartWriter } from './part-writer.ts';

/** How epochs become parts. Each of its steps may be repeated after it failed. */
export interface Layout {
  /** Before all else; where the run goes on, with the epochs whose rows wait for their part. */
  open?(pending: readonly number[]): Promise<void>;
  stage(epoch: number, delta: Sql, rows: number): Promise<void>;
  publish(epoch: number): Promise<void>;
  /** Between epochs, while nothing comes. */
  tick?(): Promise<void>;
  finish?(): Promise<void>;
}

/** Each epoch is one part: one file that is renamed. */
export class PartAnEpoch implements Layout {
  private readonly folder: PartFolder;
  private readonly writer: PartWriter;
  private readonly staged = new Map<number, { aside: string; part: string }>();

  constructor(folder: PartFolder, writer: PartWriter) {
    this.folder = folder;
    this.writer = writer;
  }

  async stage(epoch: number, delta: Sql, rows: number): Promise<void> {
    this.staged.delete(epoch);
    if (rows > 0) this.staged.set(epoch, await this.writer.writeOne({ first: epoch, last: epoch }, delta));
  }

  async publish(epoch: number): Promise<void> {
    const staged = this.staged.get(epoch);
    if (staged === undefined) return;
    await settle(this.folder.disk, staged.aside, staged.part);
    await this.folder.disk.syncFolder(this.folder.path);
    this.staged.delete(epoch);
  }
}

/** Each epoch is a part in each folder that its rows belong to. */
export class PartsAnEpoch implements Layout {
  private readonly folder: PartFolder;
  private readonly writer: PartWriter;
  private readonly staged = new Set<number>();

  constructor(folder: PartFolder, writer: PartWriter) {
    this.folder = folder;
    this.writer = writer;
  }

  async stage(epoch: number, delta: Sql, rows: number): Promise<void> {
    const epochs = { first: epoch, last: epoch };
    // A set that has its name would be published where the run goes on.
    if (this.staged.delete(epoch)) await this.folder.discard(this.folder.at(setName(epochs)));
    if (rows === 0) return;
    this.staged.add(epoch);
    await this.writer.writeSet(epochs, delta);
  }

  async publish(epoch: number): Promise<void> {
    if (!this.staged.has(epoch)) return;
    await this.folder.publishSet({ first: epoch, last: epoch });
    this.staged.delete(epoch);
  }
}
