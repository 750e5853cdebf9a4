import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Duck } from '../src/exec/duck.ts';
import { committed, Sinking } from './support/kafka-sinking.ts';
import { createTopic, kafkaTitle, skipKafka, startBroker, type TestBroker } from './support/kafka.ts';
import { LostAnswers, REQUEST } from './support/lost-answers.ts';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const LARGE = 200_000;

describe.skipIf(skipKafka !== undefined)(kafkaTitle('a Kafka sink whose broker goes away and comes back'), () => {
  let broker: TestBroker;
  let duck: Duck;
  const open: Sinking[] = [];
  beforeAll(async () => {
    broker = await startBroker(undefined, { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '100' });
    duck = await Duck.open(':memory:', { threads: '2' });
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });
  afterAll(async () => {
    duck.close();
    await broker.stop();
  });

  async function sink(
    topic: string,
    options: Readonly<Record<string, string>> = {},
    stopping = new AbortController().signal,
  ): Promise<Sinking> {
    await createTopic(broker, topic, 2);
    const sinking = await Sinking.on(duck, { brokers: broker.address, topic, ...options }, { job: topic, stopping });
    open.push(sinking);
    await sinking.writer.open();
    return sinking;
  }

  async function seen(topic: string): Promise<readonly number[]> {
    const records = await committed(broker, topic);
    return records.map(({ value }) => (JSON.parse(value ?? '') as { n: number }).n).sort((a, b) => a - b);
  }

  it.each([
    ['killed', (each: TestBroker) => each.kill().then(() => each.restart())],
    ['stopped in good order', (each: TestBroker) => each.restart()],
  ])('between stage and publish: %s', async (how, away) => {
    const topic = `staged-${how.replaceAll(' ', '-')}`;
    const out = await sink(topic);
    await out.epoch(0, 'SELECT range AS n FROM range(10)');
    await out.stage(1, 'SELECT 10 + range AS n FROM range(10)');
    await away(broker);
    await out.writer.publish(1);
    await out.epoch(2, 'SELECT 20 + range AS n FROM range(10)');
    expect(await seen(topic)).toEqual(numbers(30));
  });

  it.each(['exactly_once', 'at_least_once'])('while an epoch is written, %s', async (delivery) => {
    const topic = `writing-${delivery}`;
    const out = await sink(topic, { delivery });
    await out.epoch(0, 'SELECT range AS n FROM range(10)');
    const lost = new LostAnswers();
    try {
      const written = out.epoch(1, `SELECT 10 + range AS n FROM range(${LARGE})`);
      written.catch(() => undefined);
      while ((lost.sent.get(REQUEST.produce) ?? 0) < 2) await sleep(1);
      await broker.kill();
      await broker.restart();
      await written;
    } finally {
      lost.restore();
    }
    await out.epoch(2, `SELECT ${10 + LARGE} AS n`);
    expect(out.notices).toContain(`waiting for broker ${broker.address}`);
    expect(out.notices.at(-1)).toBeUndefined();
    const found = await seen(topic);
    if (delivery === 'exactly_once') expect(found.length).toBe(LARGE + 11);
    expect([...new Set(found)]).toEqual(numbers(LARGE + 11));
  });

  it('for longer than a transaction may be open', async () => {
    const out = await sink('outage', { transaction_timeout: '3 s' });
    await out.epoch(0, 'SELECT range AS n FROM range(10)');
    await out.stage(1, 'SELECT 10 + range AS n FROM range(10)');
    await broker.kill();
    await sleep(3000);
    const published = out.writer.publish(1);
    published.catch(() => undefined);
    await broker.restart();
    await published;
    await out.epoch(2, 'SELECT 20 + range AS n FROM range(10)');
    expect(await seen('outage')).toEqual(numbers(30));
  });

  it('before an epoch is staged, and before it is published', async () => {
    const out = await sink('waiting');
    await broker.kill();
    const staged = out.stage(0, 'SELECT range AS n FROM range(10)');
    staged.catch(() => undefined);
    await broker.restart();
    await staged;
    await broker.kill();
    const published = out.writer.publish(0);
    published.catch(() => undefined);
    await broker.restart();
    await published;
    expect(await seen('waiting')).toEqual(numbers(10));
  });

  it('is not waited for when the run is to stop', async () => {
    const stopping = new AbortController();
    const out = await sink('stopping', {}, stopping.signal);
    await out.stage(0, 'SELECT 0 AS n');
    await broker.kill();
    const published = out.writer.publish(0);
    published.catch(() => undefined);
    stopping.abort();
    await expect(published).rejects.toMatchObject({
      code: 'SINK',
      message: `sink out: broker ${broker.address} was still waited for when the run was to stop`,
      hint: 'the same command goes on where it stopped',
    });
    await broker.restart();
  });

  it('does not keep a sink from closing while it is away', async () => {
    const out = await sink('closing');
    await out.stage(0, 'SELECT 0 AS n');
    await broker.kill();
    const published = out.writer.publish(0).then(
      () => 'published',
      (error: unknown) => (error as { code: string }).code,
    );
    open.splice(0);
    await out.close();
    expect(await published).toBe('SINK');
    await broker.restart();
    const next = await Sinking.on(
      duck,
      { brokers: broker.address, topic: 'closing' },
      { job: 'closing', resume: { epoch: 0 } },
    );
    open.push(next);
    await next.writer.open();
    expect(await next.writer.isPublished(0)).toBe(false);
    await next.epoch(0, 'SELECT 0 AS n');
    expect(await seen('closing')).toEqual([0]);
  });
});
