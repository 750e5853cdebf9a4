import { changeFormat, CHANGE_FORMATS, CHANGE_FORMATS_DOC } from '../../base/change-format.ts';
import type { SourceConnector, SourceDeclaration, SourcePlan } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs } from '../../base/options.ts';
import { QUOTING_NAMES, QUOTING_OPTIONS, quotingOf } from '../csv-options.ts';
import { parseAddresses, type Address } from '../address.ts';
import { LineFront } from './line-front.ts';
import { KAFKA_METADATA } from './metadata.ts';
import { KafkaReader, type KafkaSettings } from './reader.ts';
import { rawLayout, type Layout } from './record-batch.ts';
import { readSecurity, SECURITY_OPTIONS } from './security.ts';
import { parseOffsets, parseStart, type Start } from './start.ts';
import type { TopicSelection } from './topics.ts';

const OPTIONS = {
  brokers: {
    tuning: true,
    type: 'string',
    required: true,
    doc: "where the brokers listen: 'host:port', or several with commas",
  },
  topic: { type: 'string', doc: "the topic to read, or several: 'orders, returns'; or else topic_pattern" },
  topic_pattern: {
    type: 'string',
    doc: "a regular expression: every topic whose whole name it matches is read, those that are made later too, as 'orders-.*'",
  },
  wait_for_topic: {
    tuning: true,
    type: 'boolean',
    default: false,
    doc: 'a topic that is not there is waited for, and read from its first record, instead of being an error',
  },
  format: {
    type: 'choice',
    values: ['json', 'csv', 'raw', ...CHANGE_FORMATS],
    default: 'json',
    doc: `json: each value is one JSON object; csv: each is one record, its fields the columns in order; raw: each value is the text of the only column, a VARCHAR, or its bytes, a BLOB; ${CHANGE_FORMATS_DOC}`,
  },
  ...QUOTING_OPTIONS,
  start: {
    type: 'string',
    default: 'earliest',
    doc: "where to begin: earliest, at the first record that the topic keeps; latest, after its last; or a time, '2026-01-01T00:00:00Z': at the first record with that time or a later one",
  },
  start_offsets: {
    type: 'string',
    doc: "partitions that begin elsewhere: '0:100,1:200', or with several topics 'orders-0:100'",
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
    doc: 'how often to look for partitions that were added, and for new topics',
  },
  ...SECURITY_OPTIONS,
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
  const topics = readTopics(declaration);
  const group = options['group_id'];
  return {
    brokers: readBrokers(declaration),
    security: readSecurity(declaration),
    topics,
    waitForTopic: options['wait_for_topic'] === true,
    layout: frontedLayout(declaration),
    start: readStart(declaration, topics),
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

function readTopics(declaration: SourceDeclaration): TopicSelection {
  const { topic, topic_pattern: pattern } = declaration.options;
  if (pattern !== undefined) {
    if (topic !== undefined)
      throw refuse(declaration, 'topic and topic_pattern are both given', 'leave one of them out');
    return { kind: 'pattern', pattern: readPattern(declaration, String(pattern)) };
  }
  if (topic === undefined)
    throw refuse(
      declaration,
      'a kafka source needs the option topic',
      "topic: the topic to read; or topic_pattern = 'orders-.*'",
    );
  const names = String(topic)
    .split(',')
    .map((name) => name.trim());
  if (names.includes('')) throw refuse(declaration, 'topic takes the name of a topic, not an empty text');
  const odd = names.find((name) => !/^[\w.-]{1,249}$/.test(name));
  if (odd !== undefined)
    throw refuse(
      declaration,
      `'${odd}' is no name of a topic`,
      "up to 249 letters, digits, '.', '_' and '-'; several with commas",
    );
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw refuse(declaration, `topic names ${twice} twice`);
  return { kind: 'names', names };
}

function readPattern(declaration: SourceDeclaration, text: string): RegExp {
  if (text === '') throw refuse(declaration, 'topic_pattern takes a regular expression, not an empty text');
  try {
    new RegExp(text); // by itself: 'a)|(b' would be one between the parentheses
    return new RegExp(`^(?:${text})$`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refuse(declaration, `topic_pattern takes a regular expression, not '${text}'`, why);
  }
}

function readStart(declaration: SourceDeclaration, topics: TopicSelection): Start {
  const { start, start_offsets: given } = declaration.options;
  const at = parseStart(String(start ?? OPTIONS.start.default));
  if (at === undefined)
    throw refuse(
      declaration,
      `start takes earliest, latest or a time, not '${String(start)}'`,
      "a time is '2026-01-01T00:00:00Z'; offsets go into start_offsets",
    );
  if (given === undefined) return { at, offsets: new Map() };
  const only = topics.kind === 'names' && topics.names.length === 1 ? topics.names[0] : undefined;
  const offsets = parseOffsets(String(given), only);
  if (offsets !== undefined) return { at, offsets };
  throw refuse(
    declaration,
    `start_offsets takes the offsets of partitions, each once, not '${String(given)}'`,
    only === undefined ? "with several topics 'orders-0:100,returns-0:5'" : "'0:100,1:200'",
  );
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

function frontedLayout(declaration: SourceDeclaration): Layout {
  const [layout, front] = [readLayout(declaration), LineFront.of(declaration.metadata ?? [])];
  if (front !== undefined && layout.format === 'csv')
    throw refuse(
      declaration,
      "format = 'csv' has no metadata of its records but partition, offset and topic",
      "leave the timestamp, key and headers out, or read the values with format = 'raw'",
    );
  return { ...layout, front };
}

function readLayout(declaration: SourceDeclaration): Layout {
  const { columns, options, name } = declaration;
  const [only, ...others] = columns;
  if (only === undefined)
    throw refuse(declaration, `source ${name} declares no columns`, 'a topic has no schema of its own');
  const stray = QUOTING_NAMES.find((each) => options['format'] !== 'csv' && options[each] !== undefined);
  if (stray !== undefined)
    throw refuse(declaration, `the option ${stray} is for format = 'csv' only, not ${String(options['format'])}`);
  const changes = changeFormat(options['format']);
  if (changes !== undefined) return changesLayout(changes, declaration.primaryKey);
  if (options['format'] === 'csv') return csvLayout(declaration);
  if (options['format'] !== 'raw') return { format: 'json' };
  const type = only.type.toUpperCase();
  if (others.length === 0 && (type === 'VARCHAR' || type === 'BLOB')) return rawLayout(only.name, type === 'BLOB');
  throw refuse(
    declaration,
    "format = 'raw' takes one column, a VARCHAR or a BLOB",
    'for example: CREATE SOURCE lines (line VARCHAR)',
  );
}

function csvLayout(declaration: SourceDeclaration): Layout {
  const fail = (message: string, hint: string): StreamsqlError => refuse(declaration, message, hint);
  const quoting = quotingOf(declaration.options, ',', fail);
  return { format: 'csv', dialect: { ...quoting, header: declaration.columns.map(({ name }) => name) } };
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
