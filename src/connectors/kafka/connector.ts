import { changeFormat, CHANGE_FORMATS, CHANGE_FORMATS_DOC } from '../../base/change-format.ts';
import type { SourceConnector, SourceDeclaration, SourcePlan } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs } from '../../base/options.ts';
import { parseAddresses, type Address } from './address.ts';
import { LineFront } from './line-front.ts';
import { KAFKA_METADATA } from './metadata.ts';
import { KafkaReader, type KafkaSettings } from './reader.ts';
import { rawLayout, type Layout } from './record-batch.ts';

const OPTIONS = {
  brokers: {
    tuning: true,
    type: 'string',
    required: true,
    doc: "where the brokers listen: 'host:port', or several with commas",
  },
  topic: { type: 'string', required: true, doc: 'the topic to read' },
  format: {
    type: 'choice',
    values: ['json', 'raw', ...CHANGE_FORMATS],
    default: 'json',
    doc: `json: each value is one JSON object; raw: each value is the text of the only column, a VARCHAR; ${CHANGE_FORMATS_DOC}`,
  },
  start: {
    type: 'choice',
    values: ['earliest', 'latest'],
    default: 'earliest',
    doc: 'where to begin: at the first record that the topic keeps, or after its last',
  },
  bounded: {
    tuning: true,
    type: 'boolean',
    default: false,
    doc: 'end at what the topic holds, committed, when the run starts',
  },
  strict: { tuning: true, type: 'boolean', default: false, doc: 'a record that does not decode stops the run' },
  group_id: {
    tuning: true,
    type: 'string',
    doc: 'the consumer group that shows the progress to lag tools; nothing reads it back',
  },
  client_id: {
    tuning: true,
    type: 'string',
    default: 'streamsql',
    doc: 'what the brokers call this client in their logs and quotas',
  },
  fetch_max_wait: {
    tuning: true,
    type: 'duration',
    default: 500,
    doc: 'how long a broker may hold a fetch when there is nothing',
  },
  fetch_max_bytes: { tuning: true, type: 'size', default: 16 << 20, doc: 'the most that one answer of a broker holds' },
  prefetch: {
    tuning: true,
    type: 'size',
    default: 64 << 20,
    doc: 'how much is read ahead of the engine, over all partitions',
  },
  partition_discovery: {
    tuning: true,
    type: 'duration',
    default: 30_000,
    doc: 'how often to look for partitions added to the topic',
  },
} as const satisfies OptionSpecs;

/** Reads a Kafka topic, read_committed, by a fetch path of our own: record values go from the response into lines. */
export const kafkaSource: SourceConnector = {
  name: 'kafka',
  doc: 'Records of a Kafka topic, by partition; unbounded unless bounded = true.',
  options: OPTIONS,
  metadata: KAFKA_METADATA,
  plan(declaration: SourceDeclaration): SourcePlan {
    const { columns, options } = declaration;
    const settings = readSettings(declaration);
    const changes = changeFormat(options['format']);
    return {
      columns,
      changes: changes === undefined ? undefined : { format: changes, keyed: true },
      bounded: settings.bounded,
      strict: options['strict'] === true,
      open: (context) => new KafkaReader(settings, context),
    };
  },
};

function readSettings(declaration: SourceDeclaration): KafkaSettings {
  const { options, stem } = declaration;
  const topic = String(options['topic']);
  if (topic.trim() === '') throw refuse(declaration, 'topic takes the name of a topic, not an empty text');
  const group = options['group_id'];
  return {
    brokers: readBrokers(declaration),
    topic,
    layout: { ...readLayout(declaration), front: LineFront.of(declaration.metadata ?? []) },
    start: options['start'] === 'latest' ? 'latest' : 'earliest',
    bounded: options['bounded'] === true,
    groupId: group === undefined ? `streamsql-${stem}` : String(group),
    clientId: String(options['client_id'] ?? OPTIONS.client_id.default),
    discoveryMs: positive(declaration, 'partition_discovery'),
    tuning: {
      maxWaitMs: Math.round(positive(declaration, 'fetch_max_wait')),
      maxBytes: positive(declaration, 'fetch_max_bytes'),
      prefetchBytes: positive(declaration, 'prefetch'),
    },
  };
}

type NumberOption = 'fetch_max_wait' | 'fetch_max_bytes' | 'prefetch' | 'partition_discovery';

/** Kafka counts bytes and ms in 32 bits, and so do timers. */
function positive(declaration: SourceDeclaration, name: NumberOption): number {
  const value = Number(declaration.options[name] ?? OPTIONS[name].default);
  if (value >= 1 && value < 2 ** 31) return value;
  throw refuse(declaration, `${name} takes more than 0 and less than 2^31 ms or bytes`);
}

function readBrokers(declaration: SourceDeclaration): Address[] {
  const text = String(declaration.options['brokers']);
  const addresses = parseAddresses(text);
  if (addresses !== undefined) return addresses;
  throw refuse(
    declaration,
    `brokers takes 'host:port' or 'host:port,host:port', not '${text}'`,
    "Kafka's usual port is 9092",
  );
}

function readLayout(declaration: SourceDeclaration): Layout {
  const { columns, options, name } = declaration;
  const [only, ...others] = columns;
  if (only === undefined)
    throw refuse(declaration, `source ${name} declares no columns`, 'a topic has no schema of its own');
  const changes = changeFormat(options['format']);
  if (changes !== undefined) return changesLayout(changes, declaration.primaryKey);
  if (options['format'] !== 'raw') return { format: 'json' };
  if (others.length === 0 && only.type.toUpperCase() === 'VARCHAR') return rawLayout(only.name);
  throw refuse(
    declaration,
    "format = 'raw' takes one column, a VARCHAR",
    'for example: CREATE SOURCE lines (line VARCHAR)',
  );
}

/** The key tells which row an upsert means; of Debezium's records only those without `before` need it. */
function changesLayout(changes: 'debezium' | 'upsert', primaryKey: readonly string[]): Layout {
  const [first, ...others] = primaryKey;
  if (first === undefined) return { format: 'keyed', key: { kind: changes === 'debezium' ? 'unread' : 'any' } };
  const only = changes === 'upsert' && others.length === 0 ? first : undefined;
  return { format: 'keyed', key: { kind: 'object', only } };
}

function refuse({ span }: SourceDeclaration, message: string, hint?: string): StreamsqlError {
  return new StreamsqlError('OPTION', message, { span, hint });
}
