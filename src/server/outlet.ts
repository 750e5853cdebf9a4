import { mkdtempSync, rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What may wait in memory for a client that reads slowly, bytes. */
const IN_MEMORY = 4 * 2 ** 20;
const PIECE = 256 * 1024;

/**
 * Lines on their way to a client. What it does not take soon is written to a file, so that the query never waits for its client: it would
 * hold on to its epoch meanwhile.
 */
export class Outlet {
  private readonly socket: Socket;
  private file: FileHandle | undefined;
  private written = 0;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  async write(line: string): Promise<void> {
    if (this.file === undefined && this.socket.writableLength < IN_MEMORY) {
      this.socket.write(line);
      return;
    }
    this.file ??= await unnamedFile();
    const { bytesWritten } = await this.file.write(line);
    this.written += bytesWritten;
  }

  /** Sends what waits in the file, as the client takes it. */
  async flush(): Promise<void> {
    const { file, socket } = this;
    if (file === undefined) return;
    for (let at = 0; at < this.written && !socket.destroyed;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(PIECE), 0, PIECE, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      // Also where the client has gone, with an error that says so.
      await new Promise<void>((resolve) => socket.write(buffer.subarray(0, bytesRead), () => resolve()));
    }
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }
}

/** A file that is gone from its folder already, where the system lets it: nobody else opens it, and nothing is left of it. */
async function unnamedFile(): Promise<FileHandle> {
  const folder = mkdtempSync(join(tmpdir(), 'streamsql-answer-'));
  const file = await open(join(folder, 'lines'), 'wx+', 0o600);
  rmSync(folder, { recursive: true, force: true });
  return file;
}
