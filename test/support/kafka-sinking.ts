import type { SinkContext, SinkWriter } from '../../src/base/connector.ts';
import { checkOptions } from '../../src/base/options.ts';
import type { Column } from '../../src/base/schema.ts';
import { ident, raw, sql, type Sql } from '../../src/base/sql.ts';
import { kafkaSink } from '../../src/connectors/kafka-sink/connector.ts';
import type { Duck, DuckConnection } from '../../src/exec/duck.ts';
import type { TestBroker } from './kafka.ts';

const NOWHERE = { start: 0, end: 0 };
const DELTA = ident('delta');

export interface SinkOptions {
  readonly columns?: readonly Column[];
  readonly primaryKey?: readonly string[];
  readonly name?: string;
}

/** Opens the sink as the engine would: options from their texts. */
export function planKafkaSink(
  options: Readonly<Record<string, string>>,
  { columns = [{ name: 'n', type: 'BIGINT' }], primaryKey = [], name = 'out' }: SinkOptions = {},
): ReturnType<typeof kafkaSink.plan> {
  const given = Object.entries(options).map(([option, value]) => ({
    name: option,
    value,
    nameSpan: NOWHERE,
    valueSpan: NOWHERE,
  }));
  const checked = checkOptions(given, kafkaSink.options, 'the kafka sink', NOWHERE);
  return kafkaSink.plan({ name, columns, primaryKey, options: checked, span: NOWHERE, cwd: '.' });
}

/** A writer with an engine's connection of its own, whose delta is a VALUES list or a query. */
export class Sinking {
  readonly writer: SinkWriter;
  /** Called before each statement of the sink's. */
  before: (statement: Sql) => Promise<void> = () => Promise.resolve();
  readonly notices: (string | undefined)[] = [];
  private readonly connection: DuckConnection;
  private readonly stopping: AbortController;

  private constructor(
    writer: (context: SinkContext) => SinkWriter,
    connection: DuckConnection,
    parts: Partial<SinkContext>,
  ) {
    this.connection = connection;
    this.stopping = new AbortController();
    this.writer = writer({
      run: async (statement) => void (await connection.run(statement)),
      query: async (statement) => {
        await this.before(statement);
        const { columns, rows } = await connection.table(statement);
        return rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])));
      },
      print: () => undefined,
      job: 'job',
      notice: (message) => this.notices.push(message),
      signal: this.stopping.signal,
      ...parts,
    });
  }

  static async on(
    duck: Duck,
    options: Readonly<Record<string, string>>,
    parts: Partial<SinkContext> = {},
    shape: SinkOptions = {},
  ): Promise<Sinking> {
    const plan = planKafkaSink(options, shape);
    return new Sinking((context) => plan.open(context), await duck.connect(), parts);
  }

  /** Stages what a SELECT gives. */
  async stage(epoch: number, select: string): Promise<void> {
    const rows = await this.connection.run(sql`CREATE OR REPLACE TEMP TABLE ${DELTA} AS ${raw(select)}`);
    await this.writer.stage(epoch, DELTA, rows);
  }

  async epoch(epoch: number, select: string): Promise<void> {
    await this.stage(epoch, select);
    await this.writer.publish(epoch);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.writer.close();
    this.connection.close();
  }

  /** As a crash: nothing is said to the broker any more. */
  crash(): void {
    this.stopping.abort();
  }
}

export interface SeenRecord {
  readonly partition: number;
  readonly key: string | null;
  readonly value: string | null;
}

/** All that a read_committed reader that is not ours sees of a topic, each partition to its end. */
export async function committed(
  broker: Pick<TestBroker, 'address' | 'client'>,
  topic: string,
): Promise<readonly SeenRecord[]> {
  const admin = broker.client.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const consumer = broker.client.consumer({ groupId: `reader-${Math.random()}`, readUncommitted: false });
  const seen: SeenRecord[] = [];
  // What ends a transaction takes an offset that no reader gets: a record of ours, behind everything, ends each partition.
  const producer = broker.client.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const end = `end-${Math.random()}`;
  await producer.send({
    topic,
    acks: -1,
    messages: offsets.map(({ partition }) => ({ partition, key: end, value: '' })),
  });
  await producer.disconnect();
  const open = new Set(offsets.map(({ partition }) => partition));
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: ({ partition, message }) => {
          const key = message.key?.toString() ?? null;
          if (key === end) open.delete(partition);
          else if (key?.startsWith('end-') !== true)
            seen.push({ partition, key, value: message.value?.toString() ?? null });
          if (open.size === 0) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return seen;
}
