import { constants, createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/**
 * The disk of a state folder, as far as a checkpoint relies on it. What is written is there for good when `sync` of the file,
 * and `syncFolder` of the folder that names it, have come back. Tests put one in its place that loses the rest.
 */
export interface Disk {
  makeFolder(path: string): Promise<void>;
  write(path: string, text: string): Promise<void>;
  read(path: string): Promise<string>;
  /** Bytes and CRC-32 of a file. */
  measure(path: string): Promise<{ bytes: number; crc32: number }>;
  sync(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Names in a folder; none where it is not there, or is none. */
  list(path: string): Promise<readonly string[]>;
  size(path: string): Promise<number | undefined>;
  /** A file to append to, made where it is not there. */
  openFile(path: string): Promise<DiskFile>;
}

/** A file that is open. Its `sync` is that of the disk. */
export interface DiskFile {
  readonly size: number;
  append(bytes: readonly Uint8Array[]): Promise<void>;
  /** Fills `into` from a position on; how much, which is less only at the end. */
  read(position: number, into: Uint8Array): Promise<number>;
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const realDisk: Disk = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true });
  },
  write: (path, text) => writeFile(path, text),
  read: (path) => readFile(path, 'utf8'),
  async measure(path) {
    let [bytes, crc] = [0, 0];
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
      const part = piece as Buffer;
      bytes += part.length;
      crc = crc32(part, crc);
    }
    return { bytes, crc32: crc };
  },
  sync: (path) => synced(path, 'r+'),
  // Windows has no such call for a folder, and keeps names by itself.
  syncFolder: (path) => (process.platform === 'win32' ? Promise.resolve() : synced(path, 'r')),
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  async list(path) {
    try {
      return await readdir(path);
    } catch (error) {
      if (isMissing(error) || isFile(error)) return [];
      throw error;
    }
  },
  async size(path) {
    try {
      return (await stat(path)).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  async openFile(path) {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
    return new RealFile(handle, (await handle.stat()).size);
  },
};

class RealFile implements DiskFile {
  size: number;
  private readonly handle: FileHandle;

  constructor(handle: FileHandle, size: number) {
    this.handle = handle;
    this.size = size;
  }

  async append(bytes: readonly Uint8Array[]): Promise<void> {
    const whole = Buffer.concat(bytes);
    for (let at = 0; at < whole.length;) {
      const { bytesWritten } = await this.handle.write(whole, at, whole.length - at, this.size);
      at += bytesWritten;
      this.size += bytesWritten;
    }
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const { bytesRead } = await this.handle.read(into, filled, into.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  async truncate(size: number): Promise<void> {
    await this.handle.truncate(size);
    this.size = size;
  }

  sync = (): Promise<void> => this.handle.datasync();
  close = (): Promise<void> => this.handle.close();
}

async function synced(path: string, flags: string): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const isFile = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOTDIR';
const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
