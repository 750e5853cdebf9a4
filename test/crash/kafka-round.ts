import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTopic, type TestBroker } from '../support/kafka.ts';
import type { JsonEvent } from './engine-process.ts';
import { bids } from './input.ts';
import { dumpTopic, SlowProducer } from './kafka-topic.ts';
import { inScene, type Plan, type Round } from './round.ts';
import { runToEnd } from './run.ts';
import { flags } from './workload.ts';

const SQL = join(import.meta.dirname, 'workloads');
const ROWS = 6_000;

/** As `playRound`, over a topic that is written while the disturbed run reads it; the undisturbed one reads it afterwards. */
export const playKafkaRound = (broker: TestBroker, seed: number, plan: Plan): Promise<Round> =>
  inScene('kafka', seed, plan, async (scene) => {
    const { folder, want, got, disturbances } = scene;
    const topic = folder.slice(folder.lastIndexOf('/') + 1);
    const input = bids(seed, ROWS);
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
      scene.story = await runToEnd(
        { ...run('got'), onStart: (left) => producer.release(1 / (left + 1)) },
        disturbances,
      );
    } finally {
      await producer.close();
    }
    await runToEnd(run('want'));
    for (const [name, each] of Object.entries({ want, got }))
      await dumpTopic(broker, `${topic}-${name}`, each, 'topic');
  });

async function prepare(broker: TestBroker, sinkTopic: string, folder: string): Promise<void> {
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
