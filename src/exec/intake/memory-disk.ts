import type { Disk, DiskFile } from '../checkpoint/disk.ts';

/** About what a file comes to, so that it is not copied as it grows. */
const FIRST_BYTES = (1 << 20) + (1 << 18);

class MemoryFile implements DiskFile {
  size = 0;
  private buffer = Buffer.alloc(0);

  append(bytes: readonly Uint8Array[]): Promise<void> {
    const more = bytes.reduce((sum, { length }) => sum + length, 0);
    if (this.size + more > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.size + more, 2 * this.buffer.length, FIRST_BYTES));
      this.buffer.copy(larger, 0, 0, this.size);
      this.buffer = larger;
    }
    for (const piece of bytes) {
      this.buffer.set(piece, this.size);
      this.size += piece.length;
    }
    return Promise.resolve();
  }

  read(position: number, into: Uint8Array): Promise<number> {
    const found = this.buffer.subarray(position, Math.min(this.size, position + into.length));
    into.set(found);
    return Promise.resolve(found.length);
  }

  truncate(size: number): Promise<void> {
    this.size = Math.min(this.size, size);
    return Promise.resolve();
  }

  sync = (): Promise<void> => Promise.resolve();
  close = (): Promise<void> => Promise.resolve();
}

/** What a log needs of a disk. */
export type LogDisk = Pick<Disk, 'makeFolder' | 'list' | 'remove' | 'syncFolder' | 'openFile'>;

/** For a run that keeps nothing: its log is there as long as it is. */
export function memoryDisk(): LogDisk {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    makeFolder: nothing,
    remove: nothing,
    syncFolder: nothing,
    list: () => Promise.resolve([]),
    openFile: () => Promise.resolve(new MemoryFile()),
  };
}
