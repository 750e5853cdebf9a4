import { findCoordinatorV6, type API } from '@platformatic/kafka';
import type { Address } from '../address.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { brokerCodes, CODE } from '../kafka/codes.ts';

const ELSEWHERE: ReadonlySet<number> = new Set([CODE.COORDINATOR_NOT_AVAILABLE, CODE.NOT_COORDINATOR]);
const KINDS = { group: 0, transaction: 1 } as const;

/** The broker that keeps a consumer group or a transactional id. It may move, so it is looked for again after a failure. */
export class Coordinator {
  private readonly cluster: Cluster;
  private readonly kind: keyof typeof KINDS;
  private readonly key: string;
  private address: Address | undefined;

  constructor(cluster: Cluster, kind: keyof typeof KINDS, key: string) {
    this.cluster = cluster;
    this.kind = kind;
    this.key = key;
  }

  /** One attempt. */
  async call<Arguments extends unknown[], Response>(
    api: API<Arguments, Response>,
    ...args: Arguments
  ): Promise<Response> {
    try {
      this.address ??= await this.find();
      return await this.cluster.broker(this.address).call(api, ...args);
    } catch (error) {
      const codes = brokerCodes(error);
      if (codes.length === 0 || codes.some((code) => ELSEWHERE.has(code))) this.address = undefined;
      throw error;
    }
  }

  private async find(): Promise<Address> {
    const answer = await this.cluster.anyone((broker) =>
      broker.call(findCoordinatorV6.api, KINDS[this.kind], [this.key]),
    );
    const [found] = answer.coordinators;
    if (found === undefined) throw new Error(`no coordinator was named for ${this.key}`);
    return found;
  }
}
