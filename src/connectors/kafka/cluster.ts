import { apiVersionsV3, listOffsetsV9, metadataV12, ProtocolError } from '@platformatic/kafka';
import { nearest } from '../../base/options.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { showAddress, type Address } from './address.ts';
import { Broker, type ConnectionSettings } from './broker.ts';
import { CODE, brokerCodes, partialResponse } from './codes.ts';

export interface Topic {
  readonly id: string;
  /** The node that leads each partition, by index; -1 where there is none now. */
  readonly leaders: ReadonlyMap<number, number>;
}

/** What a partition's offsets are asked for by. */
export const EARLIEST = -2n;
export const LATEST = -1n;

/** The API versions that this connector speaks, by key; all of Kafka 3.9. */
const NEEDED: readonly (readonly [key: number, version: number])[] = [
  [1, 17],
  [2, 9],
  [3, 12],
];

/** The brokers and one topic of theirs: who leads what, and where it begins and ends. Every call is one attempt. */
export class Cluster {
  private readonly bootstrap: readonly Address[];
  private readonly topicName: string;
  private readonly settings: ConnectionSettings;
  private readonly nodes = new Map<number, Address>();
  private readonly brokers = new Map<string, Broker>();
  private versionsChecked = false;

  constructor(bootstrap: readonly Address[], topic: string, settings: ConnectionSettings) {
    this.bootstrap = bootstrap;
    this.topicName = topic;
    this.settings = settings;
  }

  /** What to call the brokers in a message. */
  get addresses(): string {
    return this.bootstrap.map(showAddress).join(', ');
  }

  addressOf(node: number): Address | undefined {
    return this.nodes.get(node);
  }

  /** A connection of the caller's own; fetches wait long, and a broker answers one request of a connection at a time. */
  fetchConnection(address: Address): Broker {
    return new Broker(address, this.settings);
  }

  /** Asks one broker after another; undefined where there is no such topic. `create`: where the brokers make topics themselves. */
  async topic({ create = false }: { readonly create?: boolean } = {}): Promise<Topic | undefined> {
    const response = await this.anyone((broker) => this.metadata(broker, create));
    const topic = response.topics.find((each) => each.name === this.topicName);
    if (topic?.errorCode === CODE.TOPIC_AUTHORIZATION_FAILED) {
      throw new StreamsqlError('SOURCE', `topic '${this.topicName}' is not open to this client`);
    }
    if (topic === undefined || topic.errorCode === CODE.UNKNOWN_TOPIC_OR_PARTITION) return undefined;
    if (topic.errorCode !== 0) throw new ProtocolError(topic.errorCode);
    for (const { nodeId, host, port } of response.brokers) this.nodes.set(nodeId, { host, port });
    return { id: topic.topicId, leaders: new Map(topic.partitions.map((p) => [p.partitionIndex, p.leaderId])) };
  }

  /** The offset of each partition, by index, as read_committed sees it: LATEST is the last stable offset. */
  async offsets(partitions: readonly number[], at: typeof EARLIEST | typeof LATEST): Promise<Map<number, number>> {
    const topic = await this.topic();
    const byLeader = Map.groupBy(partitions, (partition) => topic?.leaders.get(partition) ?? -1);
    const answers = await Promise.all(
      [...byLeader].map(([node, indexes]) => this.offsetsFrom(this.leader(node), indexes, at)),
    );
    const parts = answers.flatMap((answer) => answer.topics.flatMap((topic) => topic.partitions));
    return new Map(parts.map((part) => [part.partitionIndex, Number(part.offset)]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.brokers.values()].map((broker) => broker.close()));
  }

  /** The shared connection for everything but fetches. */
  broker(address: Address): Broker {
    const key = showAddress(address);
    const broker = this.brokers.get(key) ?? new Broker(address, this.settings);
    this.brokers.set(key, broker);
    return broker;
  }

  /** The answer of the first broker that gives one; throws the last one's failure. */
  async anyone<T>(ask: (broker: Broker) => Promise<T>): Promise<T> {
    const candidates = new Map([...this.bootstrap, ...this.nodes.values()].map((each) => [showAddress(each), each]));
    let failure: unknown;
    for (const address of candidates.values()) {
      try {
        return await ask(this.broker(address));
      } catch (error) {
        failure = error;
        if (error instanceof StreamsqlError) break;
      }
    }
    throw failure;
  }

  private leader(node: number): Broker {
    const address = this.nodes.get(node);
    if (address === undefined) throw new ProtocolError('LEADER_NOT_AVAILABLE');
    return this.broker(address);
  }

  private offsetsFrom(
    broker: Broker,
    partitions: readonly number[],
    timestamp: bigint,
  ): ReturnType<typeof listOffsetsV9.api.async> {
    const topic = {
      name: this.topicName,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp })),
    };
    return broker.call(listOffsetsV9.api, -1, READ_COMMITTED, [topic]);
  }

  private async metadata(broker: Broker, create: boolean): Promise<MetadataAnswer> {
    await this.checkVersions(broker);
    try {
      return await broker.call(metadataV12.api, [this.topicName], create, false);
    } catch (error) {
      // Codes for the topic or some of its partitions; the rest of the answer is good.
      const response = partialResponse(error) as MetadataAnswer | undefined;
      if (response === undefined) throw error;
      return response;
    }
  }

  private async checkVersions(broker: Broker): Promise<void> {
    if (this.versionsChecked) return;
    const tooOld = (cause: unknown): StreamsqlError =>
      new StreamsqlError('SOURCE', `the broker at ${showAddress(broker.address)} is older than Kafka 3.9`, {
        hint: 'streamsql works with Kafka 3.9 and newer',
        cause,
      });
    const answer = await broker.call(apiVersionsV3.api, 'streamsql', '1').catch((error: unknown) => {
      throw brokerCodes(error).includes(CODE.UNSUPPORTED_VERSION) ? tooOld(error) : error;
    });
    const newest = new Map(answer.apiKeys.map((api) => [api.apiKey, api.maxVersion]));
    if (NEEDED.some(([key, version]) => (newest.get(key) ?? -1) < version)) throw tooOld(undefined);
    this.versionsChecked = true;
  }

  /** What to say where there is no such topic. */
  async missing(): Promise<StreamsqlError> {
    const all = await this.anyone((broker) => broker.call(metadataV12.api, null, false, false)).catch(() => undefined);
    const names = (all?.topics ?? []).filter((topic) => !topic.isInternal).map((topic) => topic.name ?? '');
    const near = nearest(this.topicName, names);
    const listed = names.toSorted().slice(0, 10).join(', ');
    const hint =
      near === undefined ? (listed === '' ? 'it has no topics' : `it has ${listed}`) : `did you mean ${near}?`;
    return new StreamsqlError('SOURCE', `the broker at ${this.addresses} has no topic '${this.topicName}'`, { hint });
  }
}

type MetadataAnswer = Awaited<ReturnType<typeof metadataV12.api.async>>;

/** The isolation level of every request: an aborted record is never read, an open transaction's not yet. */
export const READ_COMMITTED = 1;
