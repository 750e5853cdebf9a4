import { open, type FileHandle } from 'node:fs/promises';
import { StreamsqlError } from '../../../base/errors.ts';
import type { ByteStream } from '../byte-stream.ts';
import type { FoundFile } from '../glob.ts';
import type { FileStat } from './identity.ts';

/** The bytes of a file that may be written to, as many as there are by now. It stays the same file when that is renamed. */
export class GrowingStream implements ByteStream {
  readonly size = undefined;
  isOpen = true;
  private readonly file: FoundFile;
  private readonly handle: FileHandle;

  private constructor(file: FoundFile, handle: FileHandle) {
    this.file = file;
    this.handle = handle;
  }

  /** Undefined where the file of that inode is not there any more. */
  static async open(file: FoundFile, inode: bigint): Promise<GrowingStream | undefined> {
    try {
      const handle = await open(file.path);
      if ((await handle.stat({ bigint: true })).ino === inode) return new GrowingStream(file, handle);
      await handle.close();
      return undefined;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw failure(file, error);
    }
  }

  async read(position: number, into: Buffer): Promise<number> {
    let filled = 0;
    try {
      while (filled < into.length) {
        const { bytesRead } = await this.handle.read(into, filled, into.length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (error) {
      throw failure(this.file, error);
    }
    return filled;
  }

  keep(): void {
    // It can be read again where it stands.
  }

  ended(): boolean {
    return false;
  }

  skip(_from: number, to: number): Promise<number> {
    return Promise.resolve(to);
  }

  /** What it is by now, and whether it has a name still. */
  async look(): Promise<FileStat & { readonly isThere: boolean }> {
    const { ino, size, mtimeNs, nlink } = await this.handle.stat({ bigint: true });
    return { inode: ino, size: Number(size), modified: mtimeNs, isThere: nlink > 0n };
  }

  close(): Promise<void> {
    this.isOpen = false;
    return this.handle.close();
  }
}

/** Of a file that is gone. */
export const NOTHING: ByteStream = {
  size: undefined,
  read: () => Promise.resolve(0),
  keep: () => undefined,
  ended: () => false,
  skip: (_, to) => Promise.resolve(to),
  close: () => Promise.resolve(),
};

function failure(file: FoundFile, error: unknown): StreamsqlError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StreamsqlError('SOURCE', `${file.name} cannot be read: ${reason}`, { cause: error });
}
