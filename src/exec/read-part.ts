import { open } from 'node:fs/promises';

/** What a file holds from `start` on, as much as the buffer takes: the filled part of it. */
export async function readPart(path: string, start: number, buffer: Buffer): Promise<Buffer> {
  const handle = await open(path, 'r');
  let length = 0;
  try {
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, start + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return buffer.subarray(0, length);
}
