import { mkdtempSync, openSync, closeSync, ftruncate, existsSync, rmSync, unlinkSync, writev } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ScratchFile, ScratchPool } from '../base/connector.ts';

const truncate = promisify(ftruncate);
const SHARED_MEMORY = '/dev/shm';
/** Where Linux shows a process its own open files, also those that have no name any more. */
const OPEN_FILES = '/proc/self/fd';

/**
 * Files in shared memory, used again and again: writing pages that exist already costs a fifth of asking for new ones.
 * A folder of its own for each process, removed at `close`; where the platform allows it the files lose their names at
 * once, so that the memory of a process that is killed is given back.
 */
export function openScratch(root = existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir()): ScratchPool {
  const folder = mkdtempSync(join(root, 'streamsql-'));
  // A process that is told to end at once takes its folder along; the memory would stay taken otherwise.
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const all: PooledFile[] = [];
  const free: PooledFile[] = [];
  return {
    acquire(): ScratchFile {
      const reused = free.pop();
      if (reused !== undefined) return reused;
      const file = new PooledFile(join(folder, `chunk-${all.length}`), (back) => free.push(back));
      all.push(file);
      return file;
    },
    close(): void {
      for (const file of all) file.close();
      remove();
      process.off('exit', remove);
    },
  };
}

class PooledFile implements ScratchFile {
  readonly path: string;
  private readonly descriptor: number;
  private readonly giveBack: (file: PooledFile) => void;

  constructor(path: string, giveBack: (file: PooledFile) => void) {
    this.descriptor = openSync(path, 'w+');
    this.path = existsSync(OPEN_FILES) ? join(OPEN_FILES, String(this.descriptor)) : path;
    if (this.path !== path) unlinkSync(path);
    this.giveBack = giveBack;
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    let at = 0;
    for (let i = 0; i < pieces.length; i += MAX_PIECES) at += await this.writeAt(pieces.slice(i, i + MAX_PIECES), at);
    await truncate(this.descriptor, at);
  }

  release(): void {
    this.giveBack(this);
  }

  close(): void {
    closeSync(this.descriptor);
  }

  /** writev may write less than it was given. */
  private async writeAt(pieces: readonly Uint8Array[], start: number): Promise<number> {
    let rest = pieces.filter((piece) => piece.byteLength > 0);
    let at = start;
    while (rest.length > 0) {
      let written = await new Promise<number>((resolve, reject) => {
        writev(this.descriptor, rest, at, (error, bytes) => (error === null ? resolve(bytes) : reject(error)));
      });
      at += written;
      while (rest[0] !== undefined && written >= rest[0].byteLength) {
        written -= rest[0].byteLength;
        rest = rest.slice(1);
      }
      if (rest[0] !== undefined && written > 0) rest = [rest[0].subarray(written), ...rest.slice(1)];
    }
    return at - start;
  }
}

/** IOV_MAX on Linux and macOS. */
const MAX_PIECES = 1024;
