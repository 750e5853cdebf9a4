import type { WriteStream } from 'node:tty';
import type { Io, Output, StopReason } from './io.ts';

/** The process itself as an Io. */
export function processIo(command: string): Io {
  const listeners = new Set<(why: StopReason) => void>();
  const stop = (why: StopReason): void => {
    for (const listener of listeners) listener(why);
  };
  return {
    stdout: output(process.stdout, () => stop('output-closed')),
    stderr: output(process.stderr, () => undefined),
    env: process.env,
    cwd: process.cwd(),
    command,
    readStdin,
    onStop(listener) {
      // Without a listener of ours a signal does what it does to any process.
      if (listeners.size === 0) for (const signal of SIGNALS) process.on(signal, stop);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) for (const signal of SIGNALS) process.off(signal, stop);
      };
    },
    exit: (code) => process.exit(code),
    now: () => performance.now(),
  };
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** A reader that goes away (`| head`) is no error: what is written after that is dropped. */
function output(stream: WriteStream, onClosed: () => void): Output {
  let closed = false;
  stream.on('error', (error: Error & { code?: string }) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
    closed = true;
    onClosed();
  });
  return {
    write: (text) => {
      if (!closed) stream.write(text);
    },
    get isTTY() {
      return stream.isTTY;
    },
    get columns() {
      return stream.columns > 0 ? stream.columns : 80;
    },
  };
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/** Resolves once all that was written has left the process. */
export async function flushed(): Promise<void> {
  await Promise.all(
    [process.stdout, process.stderr].map(
      (stream) => new Promise<void>((resolve) => (stream.destroyed ? resolve() : stream.write('', () => resolve()))),
    ),
  );
}
