import type { Patience } from './patience.ts';
import type { Ending, TransactionalId } from './transactional-id.ts';

/**
 * How the last transaction ended, and its ending once more where it may be incomplete.
 *
 * A coordinator that ends a transaction while one of its partitions has no leader, as when a broker starts, takes the partition
 * for deleted and ends the transaction without it (https://issues.apache.org/jira/browse/KAFKA-20734, Kafka 4.1 to 4.3). The records
 * there hang: read_committed readers wait before them, and they would share the fate of the id's next transaction. So
 * where a broker was away, an empty transaction over the same partitions is ended in the same way: it closes what hangs.
 */
export class Endings {
  /** Whether the transaction that is open is such an empty one. */
  repeating = false;
  private readonly id: TransactionalId;
  private readonly patience: Patience;
  private last: { readonly how: Ending; readonly partitions: readonly number[] } | undefined;

  constructor(id: TransactionalId, patience: Patience) {
    this.id = id;
    this.patience = patience;
  }

  /** What is known of the last one where this process did not end it. */
  learn(how: Ending, partitions: readonly number[]): void {
    this.last = { how, partitions };
  }

  async end(how: Ending): Promise<void> {
    const partitions = this.id.partitions;
    await this.id.end(how);
    this.last = { how, partitions };
  }

  /** What is open, if anything, has no records. No request of before is done any more when this resolves. */
  async repeat(): Promise<void> {
    const { id, patience, last } = this;
    this.repeating = true;
    do {
      patience.troubled = false;
      if (!id.open) await id.renew();
      if (last === undefined) continue;
      await id.join();
      await id.admit(last.partitions);
      await id.end(last.how);
    } while (patience.troubled);
    this.repeating = false;
  }
}
