import { open, type FileHandle } from 'node:fs/promises';
import { StreamsqlError } from '../../../base/errors.ts';
import type { ByteStream } from '../byte-stream.ts';
import type { FoundFile } from '../glob.ts';

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

  static async open(file: FoundFile): Promise<GrowingStream> {
    try {
      return new GrowingStream(file, await open(file.path));
    } catch (error) {
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

  /** Its size by now, and whether it has a name still. */
  async look(): Promise<{ readonly size: number; readonly isThere: boolean }> {
    const { size, nlink } = await this.handle.stat();
    return { size, isThere: nlink > 0 };
  }

  close(): Promise<void> {
    this.isOpen = false;
    return this.handle.close();
  }
}

function failure(file: FoundFile, error: unknown): StreamsqlError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StreamsqlError('SOURCE', `${file.name} cannot be read: ${reason}`, { cause: error });
}
