// Loads the lines of a file into a Kafka topic, one record a line, line i into partition i mod PARTITIONS:
//   node bench/load-topic.ts FILE ADDRESS TOPIC PARTITIONS [--codec none|gzip|snappy|lz4|zstd]
// The topic is made; one that is there already is refused, so that a benchmark never reads more than it thinks.
import { createReadStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { Admin, allowedCompressionsAlgorithms, Producer } from '@platformatic/kafka';

const RECORDS_A_BATCH = 1000;

const { values, positionals } = parseArgs({ options: { codec: { type: 'string' } }, allowPositionals: true });
const compression = allowedCompressionsAlgorithms.find((name) => name === (values.codec ?? 'none'));
const [file, address, topic, partitionsText] = positionals;
const partitions = Number(partitionsText);
if (
  file === undefined ||
  address === undefined ||
  topic === undefined ||
  compression === undefined ||
  !(partitions >= 1)
) {
  console.error('usage: node bench/load-topic.ts FILE ADDRESS TOPIC PARTITIONS [--codec none|gzip|snappy|lz4|zstd]');
  process.exit(2);
}

const admin = new Admin({ clientId: 'streamsql-bench', bootstrapBrokers: [address] });
await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
await admin.close();

const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
  clientId: 'streamsql-bench',
  bootstrapBrokers: [address],
  autocreateTopics: false,
});
const started = performance.now();
const batches: Buffer[][] = Array.from({ length: partitions }, () => []);
const pending = new Set<Promise<unknown>>();
let records = 0;

async function flush(partition: number): Promise<void> {
  const messages = (batches[partition] ?? []).map((value) => ({ topic: topic ?? '', partition, value }));
  batches[partition] = [];
  if (messages.length === 0) return;
  const sent = producer.send({ messages, acks: 1, compression: compression ?? 'none' });
  pending.add(sent);
  void sent.finally(() => pending.delete(sent));
  if (pending.size >= partitions) await Promise.race(pending);
}

async function add(line: Buffer): Promise<void> {
  if (line.length === 0) return;
  const partition = records++ % partitions;
  if ((batches[partition]?.push(line) ?? 0) >= RECORDS_A_BATCH) await flush(partition);
}

let rest = Buffer.alloc(0);
for await (const data of createReadStream(file, { highWaterMark: 4 << 20 })) {
  const bytes = Buffer.concat([rest, data as Buffer]);
  let at = 0;
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, at)) {
    await add(bytes.subarray(at, end));
    at = end + 1;
  }
  rest = bytes.subarray(at);
}
await add(rest);
for (let partition = 0; partition < partitions; partition++) await flush(partition);
await Promise.all(pending);
await producer.close();
const seconds = (performance.now() - started) / 1000;
console.log(
  `${records} records in ${seconds.toFixed(1)} s, ${((records / seconds) | 0).toLocaleString('en')} a second`,
);
