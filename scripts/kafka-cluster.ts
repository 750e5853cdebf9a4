import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brokerStatus, clusterId, freePort, readProperty, startBroker, stopBroker, type BrokerSettings } from './kafka-broker.ts'; // prettier-ignore

const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** The folder of one broker of a cluster. */
export const memberDir = (dir: string, id: number): string => join(resolve(dir), `broker-${id}`);

/** How many brokers a folder's cluster has; 0 where it holds none. */
export function clusterSize(dir: string): number {
  return (readProperty(memberDir(dir, 1), 'controller.quorum.voters') ?? '').split(',').filter((each) => each !== '').length;
} // prettier-ignore

/**
 * Starts a cluster of brokers on this machine, each with a small heap, or those of one that do not run; their addresses.
 * `port` is the first one's, the others follow; 0 picks free ones.
 */
export async function startCluster(dir: string, count: number, port = 0, settings: BrokerSettings = {}): Promise<string[]> {
  const known = clusterSize(dir);
  const size = known === 0 ? count : known;
  const ports = (name: string): (number | undefined)[] =>
    ids(size).map((id) => Number(readProperty(memberDir(dir, id), name)) || undefined);
  const controllerPorts: number[] = [];
  for (const kept of ports('streamsql.controller.port')) controllerPorts.push(kept ?? (await freePort()));
  const kept = ports('streamsql.port');
  const cluster = readProperty(memberDir(dir, 1), 'streamsql.cluster') ?? clusterId();
  const starts = ids(size).map(async (id) => {
    const folder = memberDir(dir, id);
    const { pid, address } = brokerStatus(folder);
    if (pid !== undefined && address !== undefined) return address;
    mkdirSync(folder, { recursive: true });
    const own = kept[id - 1] ?? (port === 0 ? 0 : port + id - 1);
    const named = { 'streamsql.cluster': cluster, ...settings };
    return await startBroker(folder, own, named, { member: { id, cluster, controllerPorts } });
  });
  return await Promise.all(starts);
} // prettier-ignore

/** The addresses of the brokers of a cluster that run. */
export const clusterStatus = (dir: string): string[] =>
  ids(clusterSize(dir))
    .map((id) => brokerStatus(memberDir(dir, id)))
    .flatMap(({ pid, address }) => (pid === undefined || address === undefined ? [] : [address]));

/** Ends all of them; false where none ran. */
export async function stopCluster(dir: string): Promise<boolean> {
  // All at once: without a quorum of controllers the last ones would wait for it.
  const stopped = await Promise.all(ids(clusterSize(dir)).map((id) => stopBroker(memberDir(dir, id))));
  return stopped.includes(true);
}
