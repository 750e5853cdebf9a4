import { changeFormat, CHANGE_FORMATS } from '../../base/change-format.ts';
import type { SinkConnector, SinkDeclaration, SinkPlan } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { nearest, type OptionSpecs, type OptionValues } from '../../base/options.ts';
import { sameName, type Column } from '../../base/schema.ts';
import { parseAddresses, type Address } from '../address.ts';
import { readSecurity, SECURITY_OPTIONS } from '../kafka/security.ts';
import { AtLeastOnceWriter } from './at-least-once.ts';
import { ExactlyOnceWriter } from './exactly-once.ts';
import type { KafkaSinkSettings } from './opening.ts';
import type { RowFormat } from './rows.ts';

const OPTIONS = {
  brokers: { type: 'string', required: true, doc: "where the brokers listen: 'host:port', or several with commas" },
  topic: {
    type: 'string',
    required: true,
    doc: 'the topic to write; made where it is not there and the brokers allow it',
  },
  format: {
    type: 'choice',
    values: ['json', ...CHANGE_FORMATS],
    default: 'json',
    doc: 'json: each row is one JSON object; upsert: the new row of a key, or, without a value, its end; debezium: a change with before, after and op. upsert and debezium take results that change',
  },
  key: {
    type: 'string',
    doc: "the columns of the record's key, a JSON object: 'a, b'; a PRIMARY KEY of the sink says the same. upsert needs it; with it debezium has updates",
  },
  changelog: {
    type: 'boolean',
    default: false,
    doc: 'of json: each row begins with op, + for one that comes and - for one that goes, so results that change can be written',
  },
  delivery: {
    type: 'choice',
    values: ['exactly_once', 'at_least_once'],
    default: 'exactly_once',
    doc: 'exactly_once: a transaction for each epoch that has rows, seen by read_committed readers when the epoch is committed; at_least_once: a crash may bring the rows of one epoch twice',
  },
  transactional_id_prefix: {
    type: 'string',
    default: 'streamsql',
    doc: "how the transactional id begins, and the consumer group of the same name that keeps what is in; the job's and the sink's names follow",
  },
  transaction_timeout: {
    type: 'duration',
    default: 60_000,
    doc: 'how long a transaction may be open, which is from the first row of an epoch to its commit',
  },
  compression: { type: 'choice', values: ['none', 'gzip'], default: 'none', doc: 'of the record batches' },
  max_batch_bytes: {
    type: 'size',
    default: 1 << 20,
    doc: 'the most that one record batch holds before compression; a topic takes as much as its max.message.bytes',
  },
  client_id: {
    type: 'string',
    default: 'streamsql',
    doc: 'what the brokers call this client in their logs and quotas',
  },
  ...SECURITY_OPTIONS,
} as const satisfies OptionSpecs;

/**
 * Writes each epoch's rows to a Kafka topic.
 *
 * @example CREATE SINK top WITH (connector = 'kafka', brokers = 'localhost:9092', topic = 'top', format = 'upsert', key = 'auction') AS SELECT auction, max(price) AS price FROM bids GROUP BY auction;
 */
export const kafkaSink: SinkConnector = {
  name: 'kafka',
  doc: 'Writes the rows of each epoch to a Kafka topic, exactly once (docs/operations.md, Kafka sinks).',
  options: OPTIONS,
  keyed: true,
  changelog: (options) =>
    formatOf(options) !== 'json' || options['changelog'] === true
      ? 'always'
      : { hint: "set format = 'upsert' or 'debezium', or changelog = true: each row then begins with op, '+' or '-'" },
  plan(declaration: SinkDeclaration): SinkPlan {
    const settings = readSettings(declaration);
    if (declaration.options['delivery'] === 'at_least_once')
      return { delivery: 'at least once', open: (context) => new AtLeastOnceWriter(settings, context) };
    return { open: (context) => new ExactlyOnceWriter(settings, context) };
  },
};

const formatOf = (options: OptionValues): RowFormat => changeFormat(options['format']) ?? 'json';

function readSettings(declaration: SinkDeclaration): KafkaSinkSettings {
  const { name, columns, options } = declaration;
  const topic = String(options['topic']).trim();
  if (topic === '') throw refuse(declaration, 'topic takes the name of a topic, not an empty text');
  const format = formatOf(options);
  if (format !== 'json' && options['changelog'] === true) {
    throw refuse(
      declaration,
      `changelog is for format = 'json'`,
      `${format} has changes of its own: leave changelog out`,
    );
  }
  const changelog = format !== 'json' || options['changelog'] === true;
  const key = readKey(declaration, changelog ? columns.slice(1) : columns);
  if (format === 'upsert' && key.length === 0) {
    throw refuse(
      declaration,
      `the sink ${name} needs a key`,
      "format = 'upsert' replaces rows by their key: write key = 'a, b', or declare a PRIMARY KEY",
    );
  }
  return {
    sink: name,
    brokers: readBrokers(declaration),
    security: readSecurity(declaration),
    topic,
    format,
    columns,
    changelog,
    key,
    clientId: String(options['client_id'] ?? OPTIONS.client_id.default),
    compression: options['compression'] === 'gzip' ? 'gzip' : 'none',
    batchBytes: positive(declaration, 'max_batch_bytes'),
    idPrefix: String(options['transactional_id_prefix'] ?? OPTIONS.transactional_id_prefix.default),
    transactionTimeoutMs: Math.ceil(positive(declaration, 'transaction_timeout')),
  };
}

/** The columns of `key`, or of the PRIMARY KEY. */
function readKey(declaration: SinkDeclaration, columns: readonly Column[]): readonly Column[] {
  const { options, primaryKey = [] } = declaration;
  if (options['key'] === undefined) return primaryKey.map((name) => keyColumn(declaration, columns, name));
  const names = String(options['key']).split(',');
  const key = names.map((name) => keyColumn(declaration, columns, name.trim().replace(/^"(.*)"$/, '$1')));
  const same = key.length === primaryKey.length && key.every(({ name }, i) => sameName(name, primaryKey[i] ?? ''));
  if (primaryKey.length === 0 || same) return key;
  throw refuse(declaration, 'key and PRIMARY KEY name other columns', 'leave key out');
}

function keyColumn(declaration: SinkDeclaration, columns: readonly Column[], name: string): Column {
  const found = columns.find((column) => sameName(column.name, name));
  if (found !== undefined) return found;
  const names = columns.map((column) => column.name);
  const near = nearest(name, names);
  throw refuse(
    declaration,
    `there is no column ${name === '' ? "''" : name} for the key`,
    near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`,
  );
}

/** Kafka counts bytes and ms in 32 bits. */
function positive(declaration: SinkDeclaration, name: 'max_batch_bytes' | 'transaction_timeout'): number {
  const value = Number(declaration.options[name] ?? OPTIONS[name].default);
  if (value >= 1 && value < 2 ** 31) return value;
  throw refuse(declaration, `${name} takes more than 0 and less than 2^31 ms or bytes`);
}

function readBrokers(declaration: SinkDeclaration): readonly Address[] {
  const text = String(declaration.options['brokers']);
  const addresses = parseAddresses(text);
  if (addresses !== undefined) return addresses;
  throw refuse(
    declaration,
    `brokers takes 'host:port' or 'host:port,host:port', not '${text}'`,
    "Kafka's usual port is 9092",
  );
}

function refuse({ span }: SinkDeclaration, message: string, hint?: string): StreamsqlError {
  return new StreamsqlError('OPTION', message, { span, hint });
}
