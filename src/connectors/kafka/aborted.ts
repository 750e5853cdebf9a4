/** A transaction that was aborted, as a fetch response names it: its producer and where its records begin. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/**
 * Which records of one partition belong to aborted transactions (read_committed). Each response names all those that
 * overlap it, also where they began before it, so what an earlier response said is forgotten: the abort marker of a
 * transaction that was left open there may be gone by now, and its producer's next records are not to be skipped.
 */
export class AbortedTransactions {
  private ahead: AbortedTransaction[] = [];
  private readonly open = new Set<bigint>();

  /** What the response says, before its batches are read. */
  announce(transactions: readonly AbortedTransaction[]): void {
    this.ahead = transactions.toSorted((a, b) => a.firstOffset - b.firstOffset);
    this.open.clear();
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

  /** At the abort marker of this producer. */
  close(producerId: bigint): void {
    this.open.delete(producerId);
  }
}
