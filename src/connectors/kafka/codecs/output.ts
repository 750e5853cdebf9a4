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
  bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Bytes written. */
  used = 0;

  reset(): void {
    this.used = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /** Makes room for so many bytes more. Throws TooLongError. */
  reserve(more: number): void {
    const needed = this.used + more;
    if (needed > LONGEST_OUTPUT) throw new TooLongError();
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.min(LONGEST_OUTPUT, Math.max(needed, 2 * this.bytes.length)));
    this.bytes.copy(grown, 0, 0, this.used);
    this.bytes = grown;
  }

  /** Valid until the next reset. */
  get written(): Buffer {
    return this.bytes.subarray(0, this.used);
  }
}
