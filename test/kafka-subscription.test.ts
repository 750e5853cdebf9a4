import { ProtocolError } from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Cluster, Topic } from '../src/connectors/kafka/cluster.ts';
import { Notices } from '../src/connectors/notices.ts';
import { SegmentPool } from '../src/connectors/kafka/segment.ts';
import { Subscription } from '../src/connectors/kafka/subscription.ts';

const tuning = { maxWaitMs: 1, maxBytes: 1, prefetchBytes: 1 };

/** A subscription to whatever matches `a.*`, of brokers that only say what topics there are. */
function subscribed(topics: () => readonly Topic[], offsets: () => Promise<Map<string, number>>) {
  const stopping = new AbortController();
  const told: (string | undefined)[] = [];
  const cluster = { addresses: 'nowhere', topics: () => Promise.resolve(topics()), offsets } as unknown as Cluster;
  // Nobody is connected to: node 1 leads, and is not reached.
  cluster.addressOf = (node) => (node === 1 ? { host: '127.0.0.1', port: 1 } : undefined);
  cluster.fetchConnection = () => ({ connect: () => new Promise(() => undefined), close: () => Promise.resolve(), address: { host: '127.0.0.1', port: 1 } }) as never; // prettier-ignore
  const subscription = new Subscription(
    { topics: { kind: 'pattern', pattern: /^a/ }, waitForTopic: false, layout: { format: 'json' }, tuning, bounded: false },
    { cluster, pool: new SegmentPool(), notices: new Notices((message) => told.push(message)), signal: stopping.signal, skipped: undefined, changed: () => undefined },
  ); // prettier-ignore
  return { subscription, told, stop: () => stopping.abort() };
}

it('looks once a second for what is not there, however often it is asked to look', async () => {
  let looks = 0;
  const { subscription, stop } = subscribed(() => (looks++, []), () => Promise.resolve(new Map())); // prettier-ignore
  subscription.begin([]);
  for (let i = 0; i < 20; i++) await subscription.refresh();
  while (looks === 20) await sleep(20);
  await sleep(100);
  expect(looks).toBe(21);
  stop();
});

const topic = (name: string, leader: number): Topic => ({ name, id: name, leaders: new Map([[0, leader]]) });

it('says which topic it looks for', async () => {
  const topics = [topic('a1', 1)];
  const { subscription, told, stop } = subscribed(() => topics, () => Promise.resolve(new Map([['a1-0', 0]]))); // prettier-ignore
  await subscription.refresh();
  topics.pop();
  const looking = subscription.refresh();
  while (told.length === 0) await sleep(5);
  stop();
  await looking;
  expect(told).toEqual(['looking for topic a1, which is gone']);
});

it('goes on with the rest where a partition that was added is not to be asked for its beginning', async () => {
  const answers = [() => Promise.reject(new ProtocolError('LEADER_NOT_AVAILABLE')), () => Promise.resolve(new Map([['a1-0', 7]]))]; // prettier-ignore
  const { subscription, stop } = subscribed(() => [topic('a1', 1), topic('a2', -1)], () => answers.shift()!()); // prettier-ignore
  await subscription.refresh();
  expect(subscription.logs).toEqual([]);
  await subscription.refresh();
  expect(subscription.logs.map(({ name, initial }) => [name, initial])).toEqual([['a1-0', 7]]);
  stop();
});
