import { apiVersionsV3, listOffsetsV9, metadataV12, ProtocolError } from '@platformatic/kafka';
import { nearest } from '../../base/options.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { showAddress, type Address } from '../address.ts';
import { Broker, type ConnectionSettings } from './broker.ts';
import { CODE, brokerCodes, partialResponse } from './codes.ts';
import { nameOf, selects, type TopicPartition, type TopicSelection } from './topics.ts';

export interface Topic {
  readonly name: string;
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

/** The brokers and their topics: who leads what, and where it begins and ends. Every call is one attempt. */
export class Cluster {
  private readonly bootstrap: readonly Address[];
  private readonly settings: ConnectionSettings;
  private readonly nodes = new Map<number, Address>();
  private readonly brokers = new Map<string, Broker>();
  private versionsChecked = false;

  constructor(bootstrap: readonly Address[], settings: ConnectionSettings) {
    this.bootstrap = bootstrap;
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

  /** Undefined where there is no such topic. `create`: where the brokers make topics themselves. */
  async topic(name: string, { create = false }: { readonly create?: boolean } = {}): Promise<Topic | undefined> {
    const [topic] = await this.topics({ kind: 'names', names: [name] }, create);
    return topic;
  }

  /** Those of a selection that there are. Asks one broker after another. */
  async topics(selection: TopicSelection, create = false): Promise<Topic[]> {
    const names = selection.kind === 'names' ? [...selection.names] : null;
    const response = await this.anyone((broker) => this.metadata(broker, names, create));
    const topics = response.topics.filter(({ name, isInternal, errorCode }) => {
      if (!selects(selection, name ?? '') || (isInternal && selection.kind === 'pattern')) return false;
      if (errorCode === CODE.TOPIC_AUTHORIZATION_FAILED)
        throw new StreamsqlError('SOURCE', `topic '${name}' is not open to this client`);
      if (errorCode === CODE.UNKNOWN_TOPIC_OR_PARTITION) return false;
      if (errorCode !== 0) throw new ProtocolError(errorCode);
      return true;
    });
    for (const { nodeId, host, port } of response.brokers) this.nodes.set(nodeId, { host, port });
    return topics.map(({ name, topicId, partitions }) => ({
      name: name ?? '',
      id: topicId,
      leaders: new Map(partitions.map((p) => [p.partitionIndex, p.leaderId])),
    }));
  }

  /**
   * The offsets of partitions, by name, as read_committed sees them: LATEST is the last stable one. Any other `at` is a
   * time, ms since 1970: the first offset with that time or a later one, -1 where there is none.
   */
  async offsets(partitions: readonly TopicPartition[], at: bigint): Promise<Map<string, number>> {
    if (partitions.length === 0) return new Map();
    const names = [...new Set(partitions.map(({ topic }) => topic))];
    const topics = new Map((await this.topics({ kind: 'names', names })).map((topic) => [topic.name, topic]));
    const byLeader = Map.groupBy(partitions, ({ topic, partition }) => topics.get(topic)?.leaders.get(partition) ?? -1);
    const answers = await Promise.all([...byLeader].map(([node, own]) => this.offsetsFrom(this.leader(node), own, at)));
    return new Map(
      answers.flatMap((answer) =>
        answer.topics.flatMap(({ name, partitions: parts }) =>
          parts.map((part): [string, number] => [
            nameOf({ topic: name, partition: part.partitionIndex }),
            Number(part.offset),
          ]),
        ),
      ),
    );
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
    partitions: readonly TopicPartition[],
    timestamp: bigint,
  ): ReturnType<typeof listOffsetsV9.api.async> {
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, own]) => ({
      name,
      partitions: own.map(({ partition }) => ({ partitionIndex: partition, currentLeaderEpoch: -1, timestamp })),
    }));
    return broker.call(listOffsetsV9.api, -1, READ_COMMITTED, topics);
  }

  private async metadata(broker: Broker, names: string[] | null, create: boolean): Promise<MetadataAnswer> {
    await this.checkVersions(broker);
    try {
      return await broker.call(metadataV12.api, names, create, false);
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
  async missing(name: string): Promise<StreamsqlError> {
    const all = await this.anyone((broker) => broker.call(metadataV12.api, null, false, false)).catch(() => undefined);
    const names = (all?.topics ?? []).filter((topic) => !topic.isInternal).map((topic) => topic.name ?? '');
    const near = nearest(name, names);
    const listed = names.toSorted().slice(0, 10).join(', ');
    const hint =
      near === undefined ? (listed === '' ? 'it has no topics' : `it has ${listed}`) : `did you mean ${near}?`;
    return new StreamsqlError('SOURCE', `the broker at ${this.addresses} has no topic '${name}'`, { hint });
  }
}

type MetadataAnswer = Awaited<ReturnType<typeof metadataV12.api.async>>;

/** The isolation level of every request: an aborted record is never read, an open transaction's not yet. */
export const READ_COMMITTED = 1;
