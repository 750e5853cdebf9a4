import { existsSync, statSync } from 'node:fs';
import { join as joinPath, resolve } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import type { Manifest } from '../exec/checkpoint/manifest.ts';
import {
  damageText,
  listCheckpoints,
  manifestPath,
  readManifest,
  verifyFiles,
  type Damage,
  type Verified,
} from '../exec/checkpoint/read-manifest.ts';
import type { Io } from './io.ts';

/** A checkpoint as it was found. The manifest is there also where a file that it names is damaged. */
export interface FoundCheckpoint {
  readonly epoch: number;
  readonly manifest: Manifest | undefined;
  readonly damage: Damage | undefined;
}

/** A state folder that is read and never written: a run may go on in it meanwhile. */
export class StateFolder {
  readonly path: string;
  private readonly name: string;
  private readonly verified: Verified = new Map();

  /** Throws where `name` is no state folder. */
  constructor(name: string, io: Io) {
    this.name = name;
    this.path = resolve(io.cwd, name);
    if (!existsSync(this.path)) {
      throw new StreamsqlError('FILE_MISSING', `there is no folder ${name}`, {
        hint: `${io.command} run FILE.sql makes FILE.state in the current folder`,
      });
    }
    if (!statSync(this.path).isDirectory()) {
      throw new StreamsqlError('FILE_MISSING', `${name} is no folder`, { hint: 'the state of a run is a folder' });
    }
    if (!existsSync(joinPath(this.path, 'streamsql.json')) && listCheckpoints(this.path).length === 0) {
      throw new StreamsqlError('STATE', `the folder ${name} was not made by streamsql`);
    }
  }

  /** All checkpoints, the newest first. */
  checkpoints(): readonly FoundCheckpoint[] {
    return listCheckpoints(this.path).flatMap((epoch) => this.find(epoch) ?? []);
  }

  /** The checkpoint of an epoch; undefined where there is none (any more). */
  find(epoch: number): FoundCheckpoint | undefined {
    const { manifest, damage } = readManifest(this.path, epoch);
    const found = damage ?? (manifest && verifyFiles(manifest, this.path, this.verified).damage);
    // A run that goes on removes old checkpoints, the manifest first.
    return found === undefined || this.has(epoch) ? { epoch, manifest, damage: found } : undefined;
  }

  has(epoch: number): boolean {
    return existsSync(joinPath(this.path, manifestPath(epoch)));
  }

  /** The newest checkpoint that is whole, or the one of `epoch`, whatever its files are like. Throws STATE where there is none. */
  choose(
    epoch: number | undefined,
    warn: (message: string) => void,
  ): FoundCheckpoint & { readonly manifest: Manifest } {
    if (epoch !== undefined) return this.chosen(epoch);
    const damaged: string[] = [];
    for (const each of listCheckpoints(this.path)) {
      const found = this.find(each);
      if (found === undefined) continue;
      const { manifest, damage } = found;
      if (manifest !== undefined && damage === undefined) {
        for (const text of damaged) warn(text);
        return { ...found, manifest };
      }
      if (damage !== undefined) damaged.push(`the checkpoint of epoch ${each} is passed over: ${damageText(damage)}`);
    }
    throw new StreamsqlError('STATE', `there is no whole checkpoint in ${this.name}`, {
      hint: damaged.length === 0 ? 'there is none at all: no run has come as far' : damaged.join('; '),
    });
  }

  private chosen(epoch: number): FoundCheckpoint & { readonly manifest: Manifest } {
    const found = this.find(epoch);
    if (found === undefined) {
      const epochs = listCheckpoints(this.path);
      throw new StreamsqlError('STATE', `there is no checkpoint of epoch ${epoch} in ${this.name}`, {
        hint: epochs.length === 0 ? 'there is none at all' : `there are those of the epochs ${epochs.join(', ')}`,
      });
    }
    if (found.manifest === undefined) {
      const why = found.damage === undefined ? '' : `: ${damageText(found.damage)}`;
      throw new StreamsqlError('STATE', `the checkpoint of epoch ${epoch} cannot be read${why}`);
    }
    return { ...found, manifest: found.manifest };
  }
}
