import { SLACK, viewOf } from './copy.ts';

/** The most bytes that one batch may become: what claims more is a bomb, or a mistake. */
export const LONGEST_OUTPUT = 1 << 28;

export class TooLongError extends Error {
  constructor() {
    super(`it is more than ${LONGEST_OUTPUT >> 20} MB when decompressed`);
  }
}

const FIRST_BYTES = 1 << 20;
/** A buffer that one large batch made is not kept. */
const KEPT_BYTES = 1 << 24;

/** Where a batch is decompressed to. The bytes are used again for the next one, so that their pages stay. */
export class Output {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  view = viewOf(this.bytes);
  /** Bytes written. */
  used = 0;

  reset(): void {
    this.used = 0;
    if (this.bytes.length > KEPT_BYTES) this.use(Buffer.allocUnsafeSlow(FIRST_BYTES));
  }

  /** Makes room for so many bytes more, and the slack of a copy. Throws TooLongError. */
  reserve(more: number): void {
    const needed = this.used + more;
    if (needed > LONGEST_OUTPUT) throw new TooLongError();
    if (needed + SLACK <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.min(LONGEST_OUTPUT, Math.max(needed, 2 * this.bytes.length)) + SLACK);
    this.bytes.copy(grown, 0, 0, this.used);
    this.use(grown);
  }

  /** Valid until the next reset. */
  get written(): Buffer {
    return this.bytes.subarray(0, this.used);
  }

  private use(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }
}
