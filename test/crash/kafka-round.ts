import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../fuzz/random.ts';
import { createTopic, type TestBroker } from '../support/kafka.ts';
import { differences } from './compare.ts';
import type { JsonEvent } from './engine-process.ts';
import { bids } from './input.ts';
import { dumpTopic, SlowProducer } from './kafka-topic.ts';
import type { Plan, Round } from './round.ts';
import { RunFailure, runToEnd, type Story } from './run.ts';
import { flags } from './workload.ts';

const SQL = join(import.meta.dirname, 'workloads');
const ROWS = 6_000;

/** As `playRound`, over a topic that is written while the disturbed run reads it; the undisturbed one reads it afterwards. */
export async function playKafkaRound(broker: TestBroker, seed: number, plan: Plan): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), `streamsql-crash-kafka-${seed}-`));
  const topic = folder.slice(folder.lastIndexOf('/') + 1);
  const disturbances = plan(new Random(seed));
  const found: string[] = [];
  let story: Story | undefined;
  const input = bids(seed, ROWS);
  try {
    const [want, got] = [join(folder, 'want'), join(folder, 'got')];
    await createTopic(broker, topic, input.partitions.length);
    for (const [name, each] of Object.entries({ want, got })) await prepare(broker, `${topic}-${name}`, each);
    const run = (name: string): Parameters<typeof runToEnd>[0] => ({
      folder: join(folder, name),
      file: 'kafka.sql',
      flags: [
        ...flags(40, 200),
        ...variables({ BROKERS: broker.address, TOPIC: topic, SINK_TOPIC: `${topic}-${name}` }),
      ],
      complete: (event) => rowsRead(event) >= input.count,
    });
    const producer = new SlowProducer(broker, topic, input);
    try {
      story = await runToEnd({ ...run('got'), onStart: (left) => producer.release(1 / (left + 1)) }, disturbances);
    } finally {
      await producer.close();
    }
    await runToEnd(run('want'));
    for (const [name, each] of Object.entries({ want, got }))
      await dumpTopic(broker, `${topic}-${name}`, each, 'topic');
    found.push(...(await differences(want, got)));
  } catch (error) {
    if (error instanceof RunFailure) story = error.story;
    found.push(error instanceof Error ? error.message : String(error));
  }
  if (found.length === 0) rmSync(folder, { recursive: true, force: true });
  return { workload: 'kafka', seed, disturbances, story, differences: found, folder };
}

async function prepare(broker: TestBroker, sinkTopic: string, folder: string): Promise<void> {
  mkdirSync(folder);
  const text = ['kafka.sql', 'kafka-sink.sql'].map((name) => readFileSync(join(SQL, name), 'utf8')).join('');
  writeFileSync(join(folder, 'kafka.sql'), text);
  await createTopic(broker, sinkTopic, 2);
}

const variables = (values: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(values).flatMap(([name, value]) => ['-v', `${name}=${value}`]);

/** By all starts so far: the count is part of what a run resumes from. */
function rowsRead(event: JsonEvent): number {
  if (event.event !== 'epoch' && event.event !== 'progress') return 0;
  const [source] = event['sources'] as readonly { readonly rows: number }[];
  return source?.rows ?? 0;
}
