import type { SinkContext } from '../../../base/connector.ts';
import { sql, type Sql } from '../../../base/sql.ts';
import { settle } from './disk.ts';
import type { Layout } from './layouts.ts';
import type { PartFolder } from './part-folder.ts';
import { PENDING, pendingAside, pendingName } from './part-names.ts';
import type { PartWriter } from './part-writer.ts';
import { copyToPending, pendingRows } from './pending-format.ts';

/** When the rows that wait become a part. With neither: at once, for what an earlier run left. */
export interface Roll {
  readonly bytes: number | undefined;
  /** Since the first of them was committed, by the clock on the wall. */
  readonly ms: number | undefined;
}

/**
 * Epochs' rows wait in files of their own, durable and unseen, until there are enough of them, or the first is old enough, or
 * the input is over; then they are one part, `part-FIRST-LAST`. The set of that part is whole and named before the first of
 * it is seen, and it stays until the rows that waited are gone: so after a crash either the rows still wait, or the set says
 * which of them are in the part.
 */
export class RolledParts implements Layout {
  private readonly folder: PartFolder;
  private readonly writer: PartWriter;
  private readonly roll: Roll;
  private readonly context: SinkContext;
  private readonly now: () => number;
  private readonly staged = new Map<number, number | undefined>();
  /** Epochs in order. */
  private readonly waiting: number[] = [];
  private bytes = 0;
  private oldest: number | undefined;

  constructor(folder: PartFolder, writer: PartWriter, roll: Roll, context: SinkContext, now: () => number) {
    this.folder = folder;
    this.writer = writer;
    this.roll = roll;
    this.context = context;
    this.now = now;
  }

  async open(pending: readonly number[]): Promise<void> {
    await this.folder.disk.makeFolder(this.folder.pendingPath);
    this.forget();
    if (pending.length === 0) return;
    // They count as published, and the attempt that gave the last of them its name may not have come to this.
    await this.folder.disk.syncFolder(this.folder.pendingPath);
    const rows = this.rows(pending);
    const [counted] = await this.context.query(sql`SELECT CAST(count(*) AS DOUBLE) AS n FROM ${rows}`);
    const size = await this.writer.size(rows, Number(counted?.['n']));
    for (const epoch of pending) await this.wait(epoch, size === undefined ? undefined : size / pending.length);
    await this.rollIfDue();
  }

  async stage(epoch: number, delta: Sql, rows: number): Promise<void> {
    this.staged.delete(epoch);
    if (rows === 0) return;
    const aside = this.folder.at(PENDING, pendingAside(epoch));
    await this.context.run(copyToPending(this.writer.shape.columns, delta, aside));
    await this.folder.disk.sync(aside);
    this.staged.set(epoch, await this.writer.size(delta, rows));
  }

  async publish(epoch: number): Promise<void> {
    if (this.staged.has(epoch)) {
      const aside = this.folder.at(PENDING, pendingAside(epoch));
      await settle(this.folder.disk, aside, this.pathOf(epoch));
      await this.folder.disk.syncFolder(this.folder.pendingPath);
      await this.wait(epoch, this.staged.get(epoch));
      this.staged.delete(epoch);
    }
    await this.rollIfDue();
  }

  tick(): Promise<void> {
    return this.rollIfDue();
  }

  finish(): Promise<void> {
    return this.rollNow();
  }

  private async rollIfDue(): Promise<void> {
    const { bytes, ms } = this.roll;
    const large = bytes !== undefined && this.bytes >= bytes;
    const old = ms !== undefined && this.oldest !== undefined && this.now() - this.oldest >= ms;
    if (large || old || (bytes === undefined && ms === undefined)) await this.rollNow();
  }

  private async rollNow(): Promise<void> {
    const [first, last] = [this.waiting[0], this.waiting.at(-1)];
    if (first === undefined || last === undefined) return;
    // A set that an attempt before this one left may have been published in part.
    await this.folder.publishSet({ first, last });
    const left = await this.stillWaiting();
    if (left.length > 0) {
      await this.writer.writeSet({ first, last }, this.rows(left));
      await this.folder.publishSet({ first, last });
    }
    this.forget();
  }

  private async stillWaiting(): Promise<readonly number[]> {
    const there = new Set((await this.folder.disk.list(this.folder.pendingPath)).map(({ name }) => name));
    return this.waiting.filter((epoch) => there.has(pendingName(epoch)));
  }

  /** `size` as a part will have it, where that can be told; as it waits otherwise. */
  private async wait(epoch: number, size: number | undefined): Promise<void> {
    const measured = await this.folder.disk.measure(this.pathOf(epoch));
    this.waiting.push(epoch);
    this.bytes += size ?? measured?.bytes ?? 0;
    this.oldest = Math.min(this.oldest ?? Infinity, measured?.changedMs ?? this.now());
  }

  private forget(): void {
    this.waiting.length = 0;
    this.bytes = 0;
    this.oldest = undefined;
  }

  private rows(epochs: readonly number[]): Sql {
    return pendingRows(this.writer.shape.columns, epochs.map((epoch) => this.pathOf(epoch))); // prettier-ignore
  }

  private pathOf(epoch: number): string {
    return this.folder.at(PENDING, pendingName(epoch));
  }
}
