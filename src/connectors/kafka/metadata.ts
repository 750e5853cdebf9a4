import type { LineMember, MetadataKeys } from '../../base/metadata.ts';
import { raw, sql, type Sql } from '../../base/sql.ts';

/** The members that lines have of metadata; short, for each record has them. */
export const MEMBER = {
  timestamp: '$t',
  timestampType: '$tt',
  key: '$k',
  keyBytes: '$kb',
  headers: '$h',
  headerBytes: '$hb',
} as const;

const HEADER_BYTES = 'MAP(VARCHAR, BLOB)';

/** Named as Flink's kafka connector names them. A partition's name is its topic's and its number. */
export const KAFKA_METADATA: MetadataKeys = {
  topic: {
    types: ['VARCHAR'],
    doc: 'the topic',
    value: { kind: 'partition', of: (name) => name.slice(0, name.lastIndexOf('-')) },
  },
  partition: {
    types: ['INTEGER', 'BIGINT'],
    doc: 'the number of the partition',
    value: { kind: 'partition', of: (name) => Number(name.slice(name.lastIndexOf('-') + 1)) },
  },
  offset: { types: ['BIGINT'], doc: "the record's offset in its partition", value: { kind: 'offset' } },
  timestamp: {
    types: ['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'BIGINT'],
    doc: 'its time, in ms: in UTC as a TIMESTAMP, since 1970 as a BIGINT; NULL where it has none',
    value: { kind: 'member', of: () => ({ name: MEMBER.timestamp, reads: 'BIGINT', value: timeOf }) },
  },
  'timestamp-type': {
    types: ['VARCHAR'],
    doc: "who gave it that time: 'CreateTime', the producer, or 'LogAppendTime', the broker; 'NoTimestampType' where it has none",
    value: { kind: 'member', of: () => ({ name: MEMBER.timestampType, reads: 'TINYINT', value: typeNamed }) },
  },
  key: {
    types: ['VARCHAR', 'BLOB'],
    doc: 'its key: a record whose key is not valid UTF-8 is a dead letter where it is a VARCHAR',
    value: { kind: 'member', of: (type) => (type === 'BLOB' ? KEY_BYTES : KEY) },
  },
  headers: {
    types: ['MAP(VARCHAR, VARCHAR)', HEADER_BYTES],
    doc: 'its headers, the last where several have one name; as text, a record with one that is not valid UTF-8 is a dead letter',
    value: { kind: 'member', of: (type) => (type === HEADER_BYTES ? HEADERS_BYTES : HEADERS) },
  },
};

/** How lines say it: a word for each record would cost more than its time. */
export const TIMESTAMP_TYPE = { none: -1, create: 0, append: 1 } as const;

const typeNamed = (member: Sql): Sql =>
  sql`CASE ${member} WHEN ${TIMESTAMP_TYPE.create} THEN 'CreateTime' WHEN ${TIMESTAMP_TYPE.append} THEN 'LogAppendTime' WHEN ${TIMESTAMP_TYPE.none} THEN 'NoTimestampType' END`;

const asItIs = (member: Sql): Sql => member;

function timeOf(member: Sql, type: string): Sql {
  if (type === 'BIGINT') return member;
  const time = sql`epoch_ms(${member})`;
  return type === 'TIMESTAMP' ? time : sql`(${time} AT TIME ZONE 'UTC')`;
}

const KEY: LineMember = { name: MEMBER.key, reads: 'VARCHAR', value: asItIs };
const KEY_BYTES: LineMember = {
  name: MEMBER.keyBytes,
  reads: 'VARCHAR',
  value: (member) => sql`from_base64(${member})`,
};
const HEADERS: LineMember = { name: MEMBER.headers, reads: 'MAP(VARCHAR, VARCHAR)', value: asItIs };
const HEADERS_BYTES: LineMember = {
  name: MEMBER.headerBytes,
  reads: 'MAP(VARCHAR, VARCHAR)',
  value: (member) => {
    const entry = raw('struct_pack(k := e.key, v := from_base64(e.value))');
    return sql`map_from_entries(list_transform(map_entries(${member}), lambda e: ${entry}))`;
  },
};
