import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { StreamsqlError } from '../../base/errors.ts';
import type { FoundFile } from './glob.ts';
import type { Compression } from './options.ts';

/** A file's bytes (decompressed), read forwards into buffers of the caller's. */
export interface ByteStream {
  /** Bytes in all, as far as known beforehand. */
  readonly size: number | undefined;
  /** Of compressed bytes: about how many they are, as their end says. It may be less than there are. */
  readonly about?: number;
  /**
   * Fills `into` with the bytes from `position` on; short only at the end. `position` is where the bytes end that came
   * before, less those that were given to `keep` since.
   */
  read(position: number, into: Buffer): Promise<number>;
  /** The tail of what was read last, which is to come again. */
  keep(tail: Buffer): void;
  /** Whether nothing follows `position`, up to which all was read. */
  ended(position: number): boolean;
  /** Lets the bytes from `from`, where the last read ended, to `to` be; where it got, which is before `to` only at the end. */
  skip(from: number, to: number): Promise<number>;
  close(): Promise<void>;
}

export async function openStream(file: FoundFile, compression: Compression): Promise<ByteStream> {
  const handle = await about(file, () => open(file.path));
  let inflated: number;
  try {
    const { size } = await handle.stat();
    if (compression === 'none' || (compression === 'auto' && !(await isGzip(handle))))
      return new PlainStream(file, handle, size);
    inflated = await inflatedSize(handle, size);
  } catch (error) {
    await handle.close();
    throw failure(file, error);
  }
  await handle.close();
  return new GzipStream(file, inflated);
}

/** Of its last member, modulo 4 GB. */
async function inflatedSize(handle: FileHandle, size: number): Promise<number> {
  const tail = Buffer.alloc(4);
  const { bytesRead } = await handle.read(tail, 0, 4, Math.max(0, size - 4));
  return bytesRead === 4 ? tail.readUInt32LE() : 0;
}

/** Its bytes, where those are what is read. */
export async function plainSize(file: FoundFile, compression: Compression): Promise<number | undefined> {
  const stream = await openStream(file, compression);
  await stream.close();
  return stream.size;
}

async function isGzip(handle: FileHandle): Promise<boolean> {
  const head = Buffer.alloc(2);
  await handle.read(head, 0, 2, 0);
  return head[0] === 0x1f && head[1] === 0x8b;
}

class PlainStream implements ByteStream {
  readonly size: number;
  private readonly file: FoundFile;
  private readonly handle: FileHandle;

  constructor(file: FoundFile, handle: FileHandle, size: number) {
    this.file = file;
    this.handle = handle;
    this.size = size;
  }

  read(position: number, into: Buffer): Promise<number> {
    // What is appended later is not part of a bounded input.
    const wanted = Math.min(into.length, this.size - position);
    return about(this.file, async () => {
      let filled = 0;
      while (filled < wanted) {
        const { bytesRead } = await this.handle.read(into, filled, wanted - filled, position + filled);
        if (bytesRead === 0) throw new Error(`it was cut to ${position + filled} bytes while it was read`);
        filled += bytesRead;
      }
      return filled;
    });
  }

  keep(): void {
    // It can be read again where it stands.
  }

  ended(position: number): boolean {
    return position >= this.size;
  }

  skip(_from: number, to: number): Promise<number> {
    return Promise.resolve(Math.min(to, this.size));
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

class GzipStream implements ByteStream {
  readonly size = undefined;
  readonly about: number;
  private readonly file: FoundFile;
  private readonly raw: ReturnType<typeof createReadStream>;
  private readonly inflated: AsyncIterator<Buffer>;
  /** Decompressed, not yet handed out. */
  private pending: Buffer = Buffer.alloc(0);
  private exhausted = false;

  constructor(file: FoundFile, about: number) {
    this.file = file;
    this.about = about;
    this.raw = createReadStream(file.path, { highWaterMark: 1 << 18 });
    const gunzip = createGunzip({ chunkSize: 1 << 18 });
    this.raw.on('error', (error) => gunzip.destroy(error));
    const chunks: AsyncIterable<Buffer> = this.raw.pipe(gunzip);
    this.inflated = chunks[Symbol.asyncIterator]();
  }

  read(_position: number, into: Buffer): Promise<number> {
    return about(this.file, async () => {
      let filled = 0;
      while (filled < into.length) {
        if (!(await this.fill())) break;
        const copied = this.pending.copy(into, filled);
        this.pending = this.pending.subarray(copied);
        filled += copied;
      }
      // So that the end is known together with the last bytes.
      await this.fill();
      return filled;
    });
  }

  ended(): boolean {
    return this.exhausted && this.pending.length === 0;
  }

  skip(from: number, to: number): Promise<number> {
    return about(this.file, async () => {
      let at = from;
      while (at < to && (await this.fill())) {
        const skipped = Math.min(to - at, this.pending.length);
        this.pending = this.pending.subarray(skipped);
        at += skipped;
      }
      return at;
    });
  }

  /** Whether there is something pending, or was something left to become it. */
  private async fill(): Promise<boolean> {
    while (this.pending.length === 0 && !this.exhausted) {
      const next = await this.inflated.next();
      if (next.done === true) this.exhausted = true;
      else this.pending = next.value;
    }
    return this.pending.length > 0;
  }

  keep(tail: Buffer): void {
    if (tail.length > 0) this.pending = Buffer.concat([tail, this.pending]);
  }

  async close(): Promise<void> {
    this.raw.destroy();
    await this.inflated.return?.();
  }
}

async function about<T>(file: FoundFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(file, error);
  }
}

function failure(file: FoundFile, error: unknown): StreamsqlError {
  if (error instanceof StreamsqlError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StreamsqlError('SOURCE', `${file.name} cannot be read: ${reason}`, { cause: error });
}
