// Produces bids at a steady rate: node bench/steady-producer.ts ADDRESS TOPIC PARTITIONS RATE SECONDS
// Each record carries its partition, its number in it (its offset, as the topic is fresh and this the only producer) and
// when it was handed to the client, in microseconds.
import { Producer } from '@platformatic/kafka';

const TICK_MS = 10;

const [address = '', topic = '', ...numbers] = process.argv.slice(2);
const [partitions = 0, rate = 0, seconds = 0] = numbers.map(Number);
const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
  clientId: 'streamsql-bench',
  bootstrapBrokers: [address],
  autocreateTopics: false,
});
const next = Array.from({ length: partitions }, () => 0);
const sending: Promise<unknown>[] = Array.from({ length: partitions }, () => Promise.resolve());
let made = 0;
let worst = 0;

/** One request a partition at a time, so that the numbers are the offsets. */
function send(partition: number, count: number): void {
  const messages = Array.from({ length: count }, () => {
    const n = next[partition] ?? 0;
    next[partition] = n + 1;
    const sent = Math.round((performance.timeOrigin + performance.now()) * 1000);
    const bid = { partition, n, sent, auction: 1000 + ((n * 7919) % 1000), bidder: 1000 + ((n * 104_729) % 10_000), price: (n * 15_485_863) % 10_000_000, url: 'https://www.nexmark.com/item.htm?query=1&channel_id=100000000' }; // prettier-ignore
    return { topic, partition, value: Buffer.from(JSON.stringify(bid)) };
  });
  sending[partition] = (sending[partition] ?? Promise.resolve()).then(() => producer.send({ messages, acks: 1 }));
}

// The first request of a client finds the topic and opens connections: that is not what is measured.
await producer.metadata({ topics: [topic] });
const started = performance.now();
while (made < rate * seconds) {
  const due = Math.min(rate * seconds, Math.floor(((performance.now() - started) / 1000) * rate));
  worst = Math.max(worst, due - made);
  for (let partition = 0; partition < partitions; partition++) {
    const share = Math.floor((due + partition) / partitions) - Math.floor((made + partition) / partitions);
    if (share > 0) send(partition, share);
  }
  made = due;
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
await Promise.all(sending);
await producer.close();
console.log(JSON.stringify({ records: made, worstBurst: worst }));
