/** A transaction that was aborted, as a fetch response names it: its producer and where its records begin. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/**
 * Which records of one partition belong to aborted transactions (read_committed). A response names those that overlap
 * it; a transaction is open from its first offset to the abort marker of its producer, over responses.
 */
export class AbortedTransactions {
  private ahead: AbortedTransaction[] = [];
  private readonly open = new Set<bigint>();

  /** What the response says, before its batches are read. */
  announce(transactions: readonly AbortedTransaction[]): void {
    this.ahead = transactions.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Before a batch whose last offset is this. */
  reach(lastOffset: number): void {
    for (;;) {
      const next = this.ahead[0];
      if (next === undefined || next.firstOffset > lastOffset) return;
      this.open.add(next.producerId);
      this.ahead.shift();
    }
  }

  /** Whether a transactional batch of this producer, just reached, is to be skipped. */
  has(producerId: bigint): boolean {
    return this.open.has(producerId);
  }

  /** What comes next does not follow what came before. */
  clear(): void {
    this.ahead = [];
    this.open.clear();
  }

  /** At the abort marker of this producer. */
  close(producerId: bigint): void {
    this.open.delete(producerId);
  }
}
