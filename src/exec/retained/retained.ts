import { join as joinPath } from 'node:path';
import type { SourceNode } from '../../planner/plan-sources.ts';
import type { DuckConnection } from '../duck.ts';
import type { RetainedSource } from '../checkpoint/manifest.ts';
import { lineMembers } from './members.ts';
import { RETAINED, SourceKeeper, type Cut, type KeeperHost } from './source-keeper.ts';

export interface RetainedHost extends Pick<KeeperHost, 'folder' | 'disk'> {
  readonly connect: () => Promise<DuckConnection>;
}

/** What is to be written down of each source, in their order. */
export type RetainedCut = readonly Promise<Cut>[];

/**
 * Keeps the raw records of the sources that ask for it. They become files of the state folder by and by, and what checkpoints name
 * is there for good; a record is in them if its epoch is one that the checkpoint has taken in.
 */
export class Retained {
  private readonly host: KeeperHost;
  private readonly keepers: readonly SourceKeeper[];

  private constructor(host: KeeperHost, keepers: readonly SourceKeeper[]) {
    this.host = host;
    this.keepers = keepers;
  }

  /** Undefined where no source retains anything. `known`: what the run that goes on has kept. */
  static async open(
    { folder, disk, connect }: RetainedHost,
    sources: readonly (Pick<SourceNode, 'name' | 'retainMs'> & Partial<Pick<SourceNode, 'physical'>>)[],
    known: readonly RetainedSource[],
  ): Promise<Retained | undefined> {
    if (sources.every(({ retainMs }) => retainMs === undefined)) return undefined;
    const host = { folder, disk, connection: await connect() };
    const keepers = sources.flatMap(({ name, retainMs, physical = [] }) =>
      retainMs === undefined ? [] : [new SourceKeeper(host, name, retainMs, lineMembers({ physical }), known.find(({ source }) => source === name))],
    ); // prettier-ignore
    await host.disk.makeFolder(joinPath(host.folder, RETAINED));
    await host.disk.syncFolder(host.folder);
    return new Retained(host, keepers);
  }

  of(source: string): SourceKeeper | undefined {
    return this.keepers.find((keeper) => keeper.source === source);
  }

  /** Between two epochs. */
  cut(): RetainedCut {
    return this.keepers.map((keeper) => keeper.cut());
  }

  /** Writes files; what a manifest says of them. They are synced before it names them. */
  async writeDown(cut: RetainedCut, clock: bigint): Promise<readonly RetainedSource[]> {
    const cuts = await Promise.all(cut);
    const kept: RetainedSource[] = [];
    for (const [i, keeper] of this.keepers.entries()) {
      const own = cuts[i];
      if (own !== undefined) kept.push(await keeper.writeDown(own, clock));
    }
    return kept;
  }

  /** The manifest is in place. */
  async written(kept: readonly RetainedSource[], cut: RetainedCut): Promise<void> {
    const cuts = await Promise.all(cut);
    for (const [i, keeper] of this.keepers.entries()) {
      const [own, state] = [cuts[i], kept[i]];
      if (own !== undefined && state !== undefined) keeper.written(state, own);
    }
  }

  /** Whether a file, from the state folder, is on its way into a manifest. */
  isUnnamed(path: string): boolean {
    return this.keepers.some((keeper) => keeper.unnamed.has(path));
  }

  async close(): Promise<void> {
    for (const keeper of this.keepers) await keeper.close();
    this.host.connection.close();
  }
}
