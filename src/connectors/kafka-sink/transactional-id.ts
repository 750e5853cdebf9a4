import {
  ProtocolError,
  addOffsetsToTxnV4,
  addPartitionsToTxnV3,
  describeTransactionsV0,
  endTxnV4,
  initProducerIdV5,
  offsetFetchV9,
  txnOffsetCommitV4,
} from '@platformatic/kafka';
import type { Cluster } from '../kafka/cluster.ts';
import { brokerCodes, CODE } from '../kafka/codes.ts';
import { Coordinator } from './coordinator.ts';
import type { ProducerIdentity } from './outbox.ts';
import type { Patience } from './patience.ts';

export interface TransactionalSettings {
  /** The transactional id, and the consumer group in which the sink keeps what is in. */
  readonly id: string;
  readonly topic: string;
  readonly timeoutMs: number;
}

/** What the group says: so many epochs are in, and the writer that said so last. */
export interface Mark {
  readonly epochs: number;
  readonly writer: string;
}

export type Ending = 'commit' | 'abort';

/** Where in the group the mark is kept: an offset of this partition of the sink's own topic. */
const MARK_PARTITION = 0;

/** A transactional id with its producer id, and the mark that is committed in each of its transactions. */
export class TransactionalId implements ProducerIdentity {
  producerId = -1n;
  producerEpoch = -1;
  /** Whether a transaction may be open. */
  open = false;
  readonly transactionalId: string;
  private readonly settings: TransactionalSettings;
  private readonly patience: Patience;
  private readonly transactions: Coordinator;
  private readonly group: Coordinator;
  private readonly admitted = new Set<number>();

  constructor(settings: TransactionalSettings, cluster: Cluster, patience: Patience) {
    this.settings = settings;
    this.transactionalId = settings.id;
    this.patience = patience;
    this.transactions = new Coordinator(cluster, 'transaction', settings.id);
    this.group = new Coordinator(cluster, 'group', settings.id);
  }

  /** Of the topic's, those that are part of the transaction. */
  get partitions(): readonly number[] {
    return [...this.admitted];
  }

  /** Takes the id over from whoever has it: what was pending is completed or aborted, and the one before is fenced. */
  async take(): Promise<void> {
    [this.producerId, this.producerEpoch] = [-1n, -1];
    await this.renew();
  }

  /** Raises the producer's epoch, so that nothing sent before is done any more. No transaction may be open. Fails where another has the id. */
  async renew(): Promise<void> {
    const { id, timeoutMs } = this.settings;
    const answer = await this.patience.with(() =>
      this.transactions.call(initProducerIdV5.api, id, timeoutMs, this.producerId, this.producerEpoch),
    );
    this.producerId = answer.producerId;
    this.producerEpoch = answer.producerEpoch;
    this.ended();
  }

  /** Begins a transaction, with the group part of it. */
  async join(): Promise<void> {
    const { producerId, producerEpoch, transactionalId: id } = this;
    this.open = true;
    await this.patience.with(() => this.transactions.call(addOffsetsToTxnV4.api, id, producerId, producerEpoch, id));
  }

  /** Makes partitions part of the transaction. */
  async admit(partitions: readonly number[]): Promise<void> {
    const { producerId, producerEpoch, transactionalId } = this;
    const added = partitions.filter((partition) => !this.admitted.has(partition));
    if (added.length === 0) return;
    const topics = [{ name: this.settings.topic, partitions: added }];
    const transaction = { transactionalId, producerId, producerEpoch, verifyOnly: false, topics };
    await this.patience.with(() => this.transactions.call(addPartitionsToTxnV3.api, [transaction]));
    for (const partition of added) this.admitted.add(partition);
  }

  /** Makes the mark part of the transaction, after its records. */
  async mark({ epochs, writer }: Mark): Promise<void> {
    const { producerId, producerEpoch, transactionalId: id } = this;
    const partition = {
      partitionIndex: MARK_PARTITION,
      committedOffset: BigInt(epochs),
      committedLeaderEpoch: -1,
      committedMetadata: writer,
    };
    const topics = [{ name: this.settings.topic, partitions: [partition] }];
    await this.patience.with(() =>
      this.group.call(txnOffsetCommitV4.api, id, id, producerId, producerEpoch, -1, '', null, topics),
    );
  }

  async end(how: Ending): Promise<void> {
    await this.patience.with(() => this.endOnce(how));
  }

  /** One attempt. */
  async endOnce(how: Ending): Promise<void> {
    const { producerId, producerEpoch, transactionalId } = this;
    await this.transactions.call(endTxnV4.api, transactionalId, producerId, producerEpoch, how === 'commit');
    this.ended();
  }

  private ended(): void {
    this.open = false;
    this.admitted.clear();
  }

  /** How the id's last transaction ended, or ends when the id is taken; undefined where there is none. */
  async ending(): Promise<Ending | undefined> {
    const { id } = this.settings;
    try {
      return await this.patience.with(async () => {
        const answer = await this.transactions.call(describeTransactionsV0.api, [id]);
        const state = answer.transactionStates[0]?.transactionState ?? '';
        if (state.startsWith('Prepare')) throw new ProtocolError('CONCURRENT_TRANSACTIONS');
        return ENDINGS[state];
      });
    } catch (error) {
      if (brokerCodes(error).includes(CODE.TRANSACTIONAL_ID_NOT_FOUND)) return undefined;
      throw error;
    }
  }

  /** The mark that is committed; `settled`: once nothing about it is pending any more. */
  async marked(when: 'settled' | 'now'): Promise<Mark | undefined> {
    const { id, topic } = this.settings;
    const groups = [
      { groupId: id, memberEpoch: -1, memberId: null, topics: [{ name: topic, partitionIndexes: [MARK_PARTITION] }] },
    ];
    const answer = await this.patience.with(() => this.group.call(offsetFetchV9.api, groups, when === 'settled'));
    const found = answer.groups[0]?.topics[0]?.partitions[0];
    if (found === undefined || found.committedOffset < 0n) return undefined;
    return { epochs: Number(found.committedOffset), writer: found.metadata ?? '' };
  }
}

const ENDINGS: Readonly<Record<string, Ending>> = {
  CompleteCommit: 'commit',
  CompleteAbort: 'abort',
  Ongoing: 'abort',
};
